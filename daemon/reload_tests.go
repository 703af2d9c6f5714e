package daemon

import (
	"context"
	"slices"

	"sesame/daemon/control"
	"sesame/scripting"
	"sesame/scripting/source"
)

// test runs the tests of files, unless they are those of which the tests passed a moment ago,
// before a one-time sequence was used.
func (r *reloader) test(ctx context.Context, files *source.Files, asked wish) (*control.Tests, error) {
	if r.tested != nil && files.Compare(r.tested) != source.Changed {
		return r.passed, nil
	}
	limited, cancel := ctx, func() {}
	if r.trial != nil { // whoever is locked out must not wait for tests
		limited, cancel = context.WithTimeout(ctx, r.trial.told.ends.Sub(r.loop.clock.now()))
	}
	defer cancel()
	tests, err := r.gate.test(limited, files, r.values, asked.skipTests)
	if ctx.Err() == nil && limited.Err() != nil {
		err = errTrialOver
	}
	if r.tested, r.passed = files, tests; err != nil {
		r.tested = nil
	}
	return tests, err
}

// sameFiles reports whether two sets are made of the same files. Then their tests differ, or files
// that no script names.
func sameFiles(a, b *scripting.Set) bool {
	return slices.EqualFunc(a.Files, b.Files, func(x, y source.File) bool { return x.Path == y.Path && x.SHA256 == y.SHA256 })
}

// adopt makes files those of the set that runs, of which they differ only in tests.
func (r *reloader) adopt(ctx context.Context, files *source.Files, asked wish, o *outcome) error {
	if !r.loop.do(ctx, func() { r.loop.files = files }) {
		return errStopping
	}
	switch {
	case r.trial != nil && asked.trial > 0:
		r.extendTrial(ctx, asked.trial)
		o.trial = r.trial.copyTold()
	case r.trial == nil && asked.from == "" && (r.from != "" || r.held != nil): // nothing else waits any more
		r.from, r.held = "", nil
		r.keepRunning(ctx)
	}
	o.kind = control.Unchanged
	return nil
}
