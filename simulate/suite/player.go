package suite

import (
	"context"
	"errors"
	"strings"
	"time"

	"sesame/scripting"
	"sesame/scripting/spec"
)

// A Player runs steps one after the other for somebody who writes a test, and tells what comes of
// each. A step does there what it does in a test that [Run] runs, within the same bounds.
type Player struct{ t *running }

// NewPlayer returns a Player of a test. Of the test it uses all but the steps and the options, and
// it begins at its At. Nobody else may use the set meanwhile. When ctx ends, so do steps.
func NewPlayer(ctx context.Context, set *scripting.Set, test *spec.Test) *Player {
	t := &running{stopped: ctx.Err, config: &Config{}, test: test, set: set, before: set.Steps(), ran: map[uint64]string{}}
	t.start(test.At)
	return &Player{t}
}

// Now returns the time up to which everything has happened.
func (p *Player) Now() time.Time { return p.t.session.Now() }

// Play runs a step, and adds to its expectations all that came since the step before it: events and
// access, and runs of commands that have a name. It returns when the last of it came, zero when
// nothing did. The error is what would fail the test, whatever it expects.
func (p *Player) Play(ctx context.Context, s *spec.Step) (last time.Time, err error) {
	p.t.step = s
	if err := p.t.bringAbout(ctx); err != nil {
		return last, err
	}
	if failed := p.t.result.Failures; len(failed) > 0 {
		return last, errors.New(failed[0].Message)
	}
	for i := range p.t.came {
		if h := &p.t.came[i]; h.addTo(s) {
			last = h.time
		}
	}
	return last, nil
}

// addTo adds a happening to what a step expects. False: it is nothing that a written test expects.
func (h *happening) addTo(s *spec.Step) bool {
	switch {
	case h.kind == allows:
		s.Allows = append(s.Allows, spec.Allow{Port: h.port, Source: h.source, TTL: h.ttl})
	case h.kind == runs && h.command != "":
		s.Runs = append(s.Runs, spec.Run{Command: h.command, Undo: h.undo})
	case h.kind.strict():
		s.Strict = append(s.Strict, spec.Expectation{
			Event: spec.Event(h.kind), Times: 1, Door: h.door, Source: h.source, Reason: h.reason, Condition: h.condition, Command: h.command,
		})
	default:
		return false
	}
	return true
}

// Expectations spells what a step expects as the entries of its table, such as `opens = "ssh"`.
func Expectations(s *spec.Step) (entries []string) {
	var texts [kinds]words
	for _, w := range wantedOf(s) {
		texts[w.kind] = append(texts[w.kind], w.text())
	}
	for kind, all := range texts {
		switch len(all) {
		case 0:
		case 1:
			entries = append(entries, keys[kind]+" = "+all[0])
		default:
			entries = append(entries, keys[kind]+" = { "+strings.Join(all, ", ")+" }")
		}
	}
	return entries
}
