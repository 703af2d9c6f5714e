package main

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"

	"sesame/daemon/config"
	"sesame/daemon/writable"
	"sesame/scripting"
	"sesame/scripting/spec"
)

// writableOfTests returns what other users can change of the captures and the golden transcripts of
// all tests of the scripts. Tests that do not load name none: sesame test says what is wrong with
// them.
func writableOfTests(ctx context.Context, settings *config.Config) []writable.Finding {
	files, err := readScripts(settings)
	if err != nil || len(files.TestNames()) == 0 {
		return nil
	}
	tests, _ := scripting.LoadTests(ctx, files, scriptOptions(settings))
	return writable.Find(targetsOfTests(files.Dir, tests))
}

// targetsOfTests returns the captures and the golden transcripts of tests. A relative path begins
// at the directory of the scripts.
func targetsOfTests(dir string, tests []*spec.Test) (targets []writable.Target) {
	add := func(path, use string) {
		if !filepath.IsAbs(path) {
			path = filepath.Join(dir, path)
		}
		if whole, err := filepath.Abs(path); err == nil {
			targets = append(targets, writable.Target{Path: whole, Use: use})
		}
	}
	for _, test := range tests {
		for i := range test.Steps {
			step := &test.Steps[i]
			if step.Capture != "" {
				add(step.Capture, fmt.Sprintf("%s:%d replays it", step.Place.File, step.Place.Line))
			}
			if step.Golden != "" {
				add(step.Golden, fmt.Sprintf("%s:%d compares with it", step.Place.File, step.Place.Line))
			}
		}
	}
	return targets
}

// warnOfWritableTests warns of what other users can change of the files of tests.
func (p *program) warnOfWritableTests(found []writable.Finding) {
	if len(found) > 0 {
		p.warn("users other than root can change what tests replay and compare with, so a bad edit may pass its test:\n%s", strings.TrimRight(writable.Lines(found), "\n"))
	}
}
