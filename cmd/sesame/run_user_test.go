//go:build linux

package main

import (
	"slices"
	"testing"

	"github.com/spf13/pflag"
)

// TestTheHelperHasTheFlagsOfRun gives run each flag that it has: the helper that it starts must
// know them, with the same values.
func TestTheHelperHasTheFlagsOfRun(t *testing.T) {
	p := &program{}
	run := p.runCommand()
	var args []string
	run.Flags().VisitAll(func(f *pflag.Flag) {
		switch f.Value.Type() {
		case "bool":
			args = append(args, "--"+f.Name)
		default:
			args = append(args, "--"+f.Name+"=a,b", "--"+f.Name+"=c=d")
		}
	})
	if err := run.Flags().Parse(args); err != nil {
		t.Fatal(err)
	}
	helper := p.helperCommand()
	passed := sameFlags(run.Flags())
	if err := helper.Flags().Parse(passed); err != nil || len(passed) < 7 {
		t.Fatalf("%q: %v", passed, err)
	}
	run.Flags().VisitAll(func(f *pflag.Flag) {
		if f.Name == pprofFlag {
			return
		}
		if got := helper.Flags().Lookup(f.Name); got == nil || got.Value.String() != f.Value.String() || got.Changed != f.Changed {
			t.Errorf("--%s: the helper has %v, want %v", f.Name, got, f.Value)
		}
	})
	if slices.Contains(passed, "--"+pprofFlag) {
		t.Errorf("passed %q", passed)
	}
}
