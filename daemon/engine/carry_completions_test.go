package engine

import (
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
)

// Who completed a door, and what functions may run, are as before.
func TestCompletionsAndStepsSurviveARestart(t *testing.T) {
	first, second, closing := aDoor(t, "first", "udp/501"), aDoor(t, "second", "udp/502"), aDoor(t, "closing", "udp/503")
	first.NoteCompletions = true
	scripted(second, HookOpen, always(Allow{Ports: ports(t, "tcp/22"), For: Completion{Door: "first", Within: time.Minute}}))
	scripted(closing, HookOpen|HookClose, func(c *Call) (Decision, error) {
		c.Spend(200_000_000)
		return Decision{Operations: []Operation{Allow{Ports: ports(t, "tcp/23")}}}, nil
	})
	for _, pause := range []time.Duration{time.Second, 2 * time.Minute} {
		w := newWorld(t, first, second, closing)
		w.knock(alice, "udp/501", "udp/503")
		w.advance(pause)
		w.got = nil
		w.restart(first, second, closing)
		w.knock(bob, "udp/502", "udp/503")
		var got []string
		for _, e := range w.got {
			if e.Kind == EventEffect && e.Effect == EffectAllow || e.Kind == EventRefuse {
				got = append(got, strings.Join([]string{e.Kind.Name(), e.Door, e.Source.Addr().String(), string(e.Reason)}, " "))
			}
		}
		want := []string{"effect second " + alice + " ", "refuse closing " + bob + " limit"}
		if pause > time.Minute {
			want = []string{"effect closing " + bob + " "}
		}
		got = slices.DeleteFunc(got, func(text string) bool { return pause > time.Minute && strings.Contains(text, "second") })
		if diff := gocmp.Diff(want, got); diff != "" {
			t.Errorf("after %v (-want +got):\n%s", pause, diff)
		}
	}
}

// What the new scripts have no use for is not kept.
func TestCompletionsNobodyAsksFor(t *testing.T) {
	noted := func(name, port string) *Door {
		d := aDoor(t, name, port)
		d.NoteCompletions = true
		return d
	}
	w := newWorld(t, noted("gone", "udp/501"), noted("unasked", "udp/502"), noted("kept", "udp/503"))
	w.knock(alice, "udp/501", "udp/502", "udp/503")
	w.restart(aDoor(t, "unasked", "udp/502"), noted("kept", "udp/503"))
	if _, kept := w.e.completions["kept"]; len(w.e.completions) != 1 || !kept {
		t.Errorf("completions: %v", w.e.completions)
	}
}
