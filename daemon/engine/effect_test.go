package engine

import (
	"testing"
)

// TestEveryEffectHasARow holds the table to what its readers need.
func TestEveryEffectHasARow(t *testing.T) {
	for e := Effect(1); int(e) < Effects; e++ {
		row := e.row()
		event := Event{Kind: EventEffect, Effect: e}
		switch {
		case row.name == "":
			t.Errorf("effect %d has no name", e)
		case row.shown != (row.text != nil), row.shown != (event.Template() != ""), row.shown != event.Shown():
			t.Errorf("effect %s is shown, but has no text, or the other way round", row.name)
		case row.gives && !row.decision:
			t.Errorf("effect %s gives something, but cannot be taken back", row.name)
		case row.answer != nothingMore && row.awaited == nil:
			t.Errorf("effect %s has an answer, but none is awaited", row.name)
		}
	}
	for _, unknown := range []Effect{0, Effect(Effects), 255} {
		if event := (Event{Kind: EventEffect, Effect: unknown}); unknown.Name() != "" || event.Shown() || event.Template() != "" {
			t.Errorf("effect %d, which does not exist, is shown", unknown)
		}
	}
}

// TestNumbersOfEffects: saved states hold these numbers.
func TestNumbersOfEffects(t *testing.T) {
	numbers := map[Effect]uint8{
		EffectPersist: 1, EffectAllow: 2, EffectExec: 3, EffectUndo: 4,
		EffectLog: 5, EffectElement: 6, EffectConsume: 7, EffectCommentOut: 8,
	}
	for e, number := range numbers {
		if uint8(e) != number || !e.known() {
			t.Errorf("effect %s has the number %d, and saved states have it as %d", e.Name(), e, number)
		}
	}
	if EffectTest.known() {
		t.Error("a saved state may hold the effect of tests")
	}
}

// testOperation requests an EffectTest: an operation that no other file knows.
type testOperation struct{ detail string }

func (testOperation) check(*Engine, cause) (need, error) { return need{effects: 1}, nil }

func (o testOperation) apply(e *Engine, c cause, b *batch) {
	e.addEffect(b, Event{Kind: EventEffect, Effect: EffectTest, Door: c.name, Source: single(c.source), Detail: o.detail}, nil, term{})
}

func (testOperation) impact() impact { return acts }

// TestANewEffect sends an effect that no code knows by name through the engine. It is
// awaited, it is a part of its decision, and its failure takes the decision back.
func TestANewEffect(t *testing.T) {
	d := guarding(t, aDoor(t, "a", "udp/501"), "tcp/22")
	w := newWorld(t, scripted(d, HookOpen, always(Allow{}, testOperation{"hello"}, Allow{Ports: ports(t, "tcp/80")})))
	w.knock(alice, "udp/501")
	var effects []Event
	for _, event := range w.got {
		if event.Kind == EventEffect && event.Shown() {
			effects = append(effects, event)
		}
	}
	if len(effects) != 3 || effects[1].Effect != EffectTest || effects[1].ID == 0 || effects[1].Decision != effects[0].ID {
		t.Fatalf("effects %+v: expected one of the test, awaited, in the decision of the first", effects)
	}
	if n := w.e.Unanswered(); n != 3 {
		t.Errorf("%d effects are not answered, want 3", n)
	}
	w.got = nil
	w.record(w.e.Result(w.now, effects[0].ID, nil))
	w.record(w.e.Result(w.now, effects[1].ID, errNo))
	w.want("0s failed a 203.0.113.9 test (exit status 1)",
		"0s close a 203.0.113.9 #2 tcp/80 failed", "0s close a 203.0.113.9 #1 tcp/22 failed")
	if n := w.e.Unanswered(); n != 0 {
		t.Errorf("%d effects are not answered, want none", n)
	}
	t.Log("# and one that is done changes nothing")
	w.knock(alice, "udp/501")
	for _, id := range w.takeAwaited() {
		w.record(w.e.Result(w.now, id, nil))
	}
	w.want()
}

// TestANewOperation: a refusal may request what gives no access, and a listener that acts has
// opened.
func TestANewOperation(t *testing.T) {
	refusing := scripted(aDoor(t, "a", "udp/501"), HookOpen, func(*Call) (Decision, error) {
		return Decision{Refused: true, Verdict: Verdict{Detail: "no"}, Operations: []Operation{testOperation{"alarm"}}}, nil
	})
	listener := scripted(aDoor(t, "b", "udp/502"), HookKnock, always(testOperation{"hello"}))
	listener.Listen = true
	w := newWorld(t, refusing, listener)
	w.knock(alice, "udp/501", "udp/502")
	w.want("0s stage a 203.0.113.9 1/1", "0s refuse a 203.0.113.9 when (no)", "0s effect a 203.0.113.9 test (alarm)",
		"0s open b 203.0.113.9", "0s effect b 203.0.113.9 test (hello)")
}

// Recordings and the journal have the numbers of effects, so these stay.
func TestTheNumbersOfEffectsStay(t *testing.T) {
	if EffectPersist != 1 {
		t.Errorf("the first effect has the number %d, want 1", EffectPersist)
	}
}
