package engine

import "testing"

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
