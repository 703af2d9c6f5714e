package daemon

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"

	"sesame/daemon/filter"
	"sesame/scripting"
	"sesame/scripting/source"
)

// An exchange is a set that takes the place of the one that runs.
type exchange struct {
	set    *scripting.Set
	files  *source.Files
	values map[string]string // of the scripts' options
	// proof looks for what proves the set, from its first packet on; nil: it is on no trial.
	proof   *proof
	keepOld bool // the set before stays loaded
}

// exchange replaces the running set. The order makes a failure harmless: first the kernel's
// filter and the firewall cover both sets, then the doors are replaced, and only then the
// filter and the firewall drop what the old set alone needed. Until the doors are replaced
// every error leaves all as it was.
func (r *reloader) exchange(ctx context.Context, now current, x exchange) error {
	set := x.set
	old, next := filter.Interest(now.set.Engine.Interest()), filter.Interest(set.Engine.Interest())
	if err := r.setFilter(old.Union(next)); err != nil {
		return fmt.Errorf("preparing the kernel's filter for the new scripts: %w", err)
	}
	if err := r.loop.guard(ctx, set.Engine); err != nil {
		return errors.Join(fmt.Errorf("guarding the ports of the new scripts: %w", err), r.loop.guard(ctx, nil), r.setFilter(old))
	}
	switch err := r.swap(ctx, now, x); {
	case errors.Is(err, errConsumed):
		return errors.Join(err, r.loop.guard(ctx, nil), r.setFilter(old))
	case err != nil:
		return err
	}
	if err := errors.Join(r.setFilter(next), r.loop.guard(ctx, nil)); err != nil {
		r.log.Warn("something that only the old scripts needed is still there", "error", err)
		r.requestRepair()
	}
	return nil
}

// swap replaces the doors in the loop, unless a one-time sequence was consumed since the files
// were read.
func (r *reloader) swap(ctx context.Context, now current, x exchange) error {
	consumed := false
	if !r.loop.do(ctx, func() {
		if consumed = r.loop.engine.OneTimeChanges() != now.oneTime; consumed {
			return
		}
		old := r.loop.swap(x.set, x.files, x.values)
		r.loop.proof = x.proof
		if !x.keepOld {
			old.Close()
		}
	}) {
		return errStopping
	}
	if consumed {
		return errConsumed
	}
	return nil
}

// setFilter sets the kernel's filter of the running capture.
func (r *reloader) setFilter(w filter.Interest) error {
	return r.installFilter(w, r.loop.source.SetProgram)
}

// installFilter builds the kernel's filter and passes it to give. When the kernel has no
// memory for it, it uses a coarse one, which passes all packets of the protocols.
func (r *reloader) installFilter(w filter.Interest, give func([]bpf.Instruction) error) error {
	f := filter.New(w)
	program, coarse := f.Program()
	err := give(program)
	if errors.Is(err, unix.ENOMEM) && !coarse {
		coarse, err = true, give(f.Coarse())
	}
	if coarse && !r.coarse.Load() {
		r.log.Warn("too many ports for the kernel's filter, so Sesame looks at every packet of their protocols itself")
	}
	r.coarse.Store(coarse)
	return err
}
