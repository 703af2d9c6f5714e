package effect

import (
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"sesame/daemon/engine"
	"sesame/daemon/logtest"
)

// TestEveryEffectIsPerformed fails for an effect of the engine that has no line in
// performers, and for a performer that lacks a part which its stage needs.
func TestEveryEffectIsPerformed(t *testing.T) {
	for e := engine.Effect(1); int(e) < engine.Effects; e++ {
		how := performers[e]
		switch {
		case e == engine.EffectTest:
		case how == nil:
			t.Errorf("effect %d (%s) has no line in performers, perform.go", e, e.Name())
		case how.stage >= onWorker && how.perform == nil:
			t.Errorf("the performer of effect %d (%s) has no perform", e, e.Name())
		case how.stage == inBackground && how.queues == nil:
			t.Errorf("the performer of effect %d (%s) runs in the background and has no queues", e, e.Name())
		case how.log == nil && how != &recorded:
			t.Errorf("the performer of effect %d (%s) has no log", e, e.Name())
		}
	}
}

// An effect that nothing performs is neither dropped nor does it panic: it is
// answered with an error, and the rest of its decision is left out.
func TestAnEffectThatNothingPerforms(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var text logtest.Buffer
		h := newHost(t, Config{Log: hclog.New(&hclog.LoggerOptions{Output: &text, Level: hclog.Info, DisableTime: true})})
		fake := run(2, alice)
		fake[0].Effect = engine.EffectTest
		h.give(decide(h.allow(1, alice, ssh, 30*time.Second), fake, run(3, alice, "/after")))
		h.want(t, "1, 2 ("+errUnknown.Error()+")", "0s apply 203.0.113.9 tcp/22 30s", "0s persist +1")
		if !strings.Contains(text.String(), "[WARN]  effect not performed: door=a source=203.0.113.9 effect=test error=") {
			t.Errorf("logged %s", &text)
		}
		h.wantNothingLeft(t)

		t.Log("# also when nobody waits for its answer")
		text.Reset()
		fake[0].ID, fake[0].Decision = 0, 0
		h.give(fake)
		h.want(t, "")
		if !strings.Contains(text.String(), "effect not performed") {
			t.Errorf("logged %s", &text)
		}
		h.wantNothingLeft(t)
	})
}
