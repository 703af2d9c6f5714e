package suite

import (
	"fmt"
	"slices"
	"strings"

	"sesame/daemon/engine"
	"sesame/daemon/spelling"
	"sesame/daemon/transcript"
	"sesame/scripting/source"
	"sesame/scripting/spec"
)

const (
	// mostLines bounds what a failure lists, and mostFailures the failures of a step.
	mostLines    = 10
	mostFailures = 20
)

// compare compares what a step wants with what came since the step before it.
func (t *running) compare(s *spec.Step) {
	want := wantedOf(s)
	compared := [kinds]bool{allows: s.Allows != nil, runs: s.Runs != nil, logs: s.Logs != nil}
	var came []happening
	for _, h := range t.came {
		if h.kind.strict() || compared[h.kind] {
			came = append(came, h)
		}
	}
	m := match(want, came)
	if m.tooMuch() {
		t.fail(Failure{Place: s.Place, Message: fmt.Sprintf("%s are too many for %s to be compared: split the step, or write times",
			transcript.Count(len(want), "expectation"), transcript.Count(len(came), "event"))})
		return
	}
	if t.explain && slices.ContainsFunc(came, func(h happening) bool { return h.reason == string(engine.NoData) }) {
		defer t.adviseFacts()
	}
	extra := m.extra()
	slices.SortStableFunc(extra, func(a, b happening) int { return a.time.Compare(b.time) })
	for _, j := range m.missing() {
		var near []happening
		near, extra = t.nearest(&want[j], extra)
		t.fail(t.absent(&want[j], m.count[j], near, came))
	}
	for len(extra) > 0 {
		like := func(h happening) bool {
			return h.kind == extra[0].kind && h.door == extra[0].door && h.command == extra[0].command
		}
		together := filtered(extra, like)
		extra = filtered(extra, func(h happening) bool { return !like(h) })
		t.fail(t.surplus(s.Place, want, together))
	}
}

// adviseFacts adds what the test could say of whom nothing is known, when the step failed.
func (t *running) adviseFacts() {
	if len(t.result.Failures) == 0 {
		return
	}
	f := &t.result.Failures[len(t.result.Failures)-1]
	for _, q := range t.facts.unsaid {
		f.Explanation = append(f.Explanation, advice(q))
	}
}

func filtered(all []happening, keep func(happening) bool) (some []happening) {
	for _, h := range all {
		if keep(h) {
			some = append(some, h)
		}
	}
	return some
}

// nearest takes from what came, and nothing wants, what probably came in place of an entry: the
// events at its door, else the others of its kind.
func (t *running) nearest(w *wanted, extra []happening) (near, rest []happening) {
	for _, like := range []func(happening) bool{
		func(h happening) bool {
			return h.kind.strict() == w.kind.strict() && w.like.door != "" && h.door == w.like.door
		},
		func(h happening) bool { return h.kind == w.kind },
	} {
		if near = filtered(extra, like); len(near) > 0 {
			return near, filtered(extra, func(h happening) bool { return !like(h) })
		}
	}
	return nil, extra
}

// absent is the failure of an entry of which there are only count.
func (t *running) absent(w *wanted, count int, near, came []happening) Failure {
	f := Failure{Place: w.place, Expected: w.String(), Came: listed(near)}
	if f.Came == "" {
		f.Came = listed(filtered(came, func(h happening) bool { return h.kind == w.kind }))
	}
	if f.Came == "" {
		f.Came = "nothing"
	}
	switch {
	case count > 0:
		f.Message = fmt.Sprintf("%s, expected %s", verbs[w.kind].counted(w.subject(), count), transcript.Count(w.times, "time"))
	case slices.ContainsFunc(near, w.resembles):
		f.Message = verbs[w.kind].otherwise(w.subject())
	default:
		f.Message = verbs[w.kind].not(w.subject())
	}
	switch {
	case w.like.door != "" && t.door(w.like.door) == nil:
		f.Message = t.noDoor(w.like.door)
	case w.kind == kind(spec.Opens) || w.kind == kind(spec.Refuses) || w.kind == kind(spec.Misses):
		f.Explanation = t.explanation(w.like.door, w.from)
		if len(f.Explanation) == 0 && w.like.door != "" && t.step.Action != spec.NoAction {
			f.Explanation = []string{"no packet of the step was a knock of " + transcript.Safe(w.like.door)}
		}
	}
	return f
}

// surplus is the failure of what came and is not wanted, all of one kind at one door.
func (t *running) surplus(step source.Place, want []wanted, came []happening) Failure {
	h := &came[0]
	f := Failure{Place: step, Came: listed(came)}
	var wrote []string
	for i := range want {
		if want[i].kind == h.kind {
			wrote = append(wrote, want[i].String())
			f.Place = want[i].place
		}
	}
	if len(wrote) == 0 {
		wrote = []string{keys[h.kind] + " = false"}
	}
	f.Expected = lines(wrote)
	subject := h.door
	if h.kind == runs || h.kind == kind(spec.Fails) && h.command != "" {
		subject = h.command
	}
	f.Message = verbs[h.kind].is(subject) + ", which the step does not expect"
	if len(came) > 1 {
		f.Message = verbs[h.kind].counted(subject, len(came)) + " more than the step expects"
	}
	if h.kind.strict() && h.kind != kind(spec.Closes) {
		f.Explanation = t.explanation(h.door, h.source)
	}
	return f
}

// listed spells happenings, those that read the same once.
func listed(all []happening) string {
	var texts []string
	count := map[string]int{}
	for i := range all {
		text := all[i].String()
		if count[text]++; count[text] == 1 {
			texts = append(texts, text)
		}
	}
	for i, text := range texts {
		if n := count[text]; n > 1 {
			texts[i] += " -- " + transcript.Count(n, "time")
		}
	}
	return lines(texts)
}

// lines joins lines, and counts those beyond mostLines.
func lines(all []string) string {
	if more := len(all) - mostLines; more > 0 {
		all = append(slices.Clone(all[:mostLines]), "-- and "+transcript.Number(more)+" more")
	}
	return strings.Join(all, "\n")
}

// noDoor says that the scripts have no such door.
func (t *running) noDoor(name string) string {
	var names []string
	for _, d := range t.set.Engine.Doors {
		names = append(names, d.Name)
	}
	message := fmt.Sprintf("the scripts have no door %q%s", name, spelling.DidYouMean(name, names))
	if !strings.Contains(message, "did you mean") && len(names) > 0 {
		message += ": they have " + strings.Join(names[:min(len(names), mostLines)], ", ")
	}
	return message
}
