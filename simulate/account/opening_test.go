package account

import (
	"testing"

	"sesame/daemon/engine"
)

func TestAnObservedCommandWasNotRun(t *testing.T) {
	e := engine.Event{Effect: engine.EffectExec, Argv: []string{"/notify", "a b"}, Observed: true}
	if got, want := accessOf(&e), `would have run /notify "a b"`; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
