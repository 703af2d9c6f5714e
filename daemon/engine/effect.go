package engine

import "slices"

// This file is the table of effects: one row says all that the engine and the transcripts
// know of an effect. To add one, add a constant and a row here. Package daemon/effect carries
// effects out.

// An Effect is the kind of change that an [EventEffect] requests. The numbers are in saved
// states, so none ever changes: a new effect comes last, before EffectTest.
type Effect uint8

// The effects.
const (
	// EffectPersist requests a record that survives a restart, before later effects are done.
	EffectPersist Effect = iota + 1
	EffectAllow          // let Source reach Port until Until
	EffectExec           // run Argv
	EffectUndo           // run Argv, the undo of an earlier EffectExec
	EffectLog            // Detail is a line for people
	// EffectElement makes the kernel follow the grants; it gives no access that they do not
	// give. The element for (Source, Port) must end at Until, or be deleted when Until is zero.
	EffectElement
	// EffectConsume requests the record that a one-time sequence was consumed. When it cannot
	// be written, nothing is given.
	EffectConsume
	EffectCommentOut // comment out a line of File, which is Text
	// EffectCut ends the sessions and flows of Source to Port, which has no grant.
	EffectCut

	// EffectTest is an effect that no input causes. Tests use it to prove that the
	// readers of the table handle an effect that they do not know by name.
	EffectTest
)

// Effects is the number of effects and of the zero Effect, for arrays.
const Effects = int(EffectTest) + 1

// FailingEffects returns the names of the effects that can fail, each once.
func FailingEffects() (names []string) {
	for e := EffectPersist; e < EffectTest; e++ {
		if row := e.row(); row.awaited != nil && !slices.Contains(names, row.name) {
			names = append(names, row.name)
		}
	}
	return names
}

// An effectRow holds all that other code needs to know of an effect.
type effectRow struct {
	name  string // in transcripts and in status
	shown bool   // transcripts show it; a failure is shown in any case

	// awaited reports whether the engine waits for a result of the effect. Nil: never. It is
	// called before the event has its ID.
	awaited func(*Event) bool
	// decision means that the effect is a part of what a script decided. The effects of one
	// decision run in order. When one fails and [Event.Tolerates] is false, those after it are
	// left out, and the grants of all of them are taken back.
	decision bool
	// gives means that the effect gives something new, so it may be refused when too much
	// waits to be carried out: the engine takes the decision back.
	gives bool
	// lasting means that a failure later in the same decision does not take it back.
	lasting bool
	grant   grantUse
	answer  answer

	// lasts is set when transcripts show the TTL of its grant.
	lasts bool
	// text returns the template of its line in a transcript for people: see
	// [Event.Template]. JSON needs none: it has the same keys for all effects.
	text func(*Event) string
}

// A grantUse is the relation of an effect to a grant.
type grantUse uint8

const (
	noGrant  grantUse = iota // no effect of this kind belongs to a grant, though it may name one
	mayGrant                 // some effects of this kind belong to a grant
	hasGrant                 // each does
)

// An answer is what the engine does with the result of an effect, besides reporting a
// failure and rolling back a decision.
type answer uint8

const (
	nothingMore      answer = iota
	endsRecord              // done: the record of its grant is over
	startsCommentOut        // done or not: its line must be commented out
	endsConsumed            // done: the file knows that the line was consumed
)

var effects = [Effects]effectRow{
	EffectPersist: {name: "persist"},
	EffectAllow: {
		name: "allow", shown: true, decision: true, gives: true, grant: hasGrant, lasts: true,
		// It has no end when the element of a wider network covers it. Then the kernel has
		// nothing to do.
		awaited: func(e *Event) bool { return !e.Until.IsZero() },
		text:    func(*Event) string { return "allow {port} for {ttl}" },
	},
	EffectExec: {
		name: "exec", shown: true, decision: true, gives: true, grant: mayGrant, lasts: true,
		awaited: runsCommand, text: execText,
	},
	EffectUndo: {
		name: "undo", shown: true, grant: hasGrant, answer: endsRecord,
		awaited: runsCommand,
		text:    func(*Event) string { return "undo: run {argv}" },
	},
	EffectLog: {
		name: "log", shown: true, decision: true,
		text: func(*Event) string { return "log: {detail}" },
	},
	// When it fails, people read that the access of a grant failed, hence the name.
	EffectElement:    {name: "allow", awaited: alwaysAwaited},
	EffectConsume:    {name: "mark", decision: true, lasting: true, answer: startsCommentOut, awaited: alwaysAwaited},
	EffectCommentOut: {name: "mark", answer: endsConsumed, awaited: alwaysAwaited},
	EffectCut: {
		name: "cut", shown: true,
		text: func(*Event) string { return "cut sessions to {port}" },
	},
	EffectTest: {
		name: "test", shown: true, decision: true, awaited: alwaysAwaited,
		text: func(*Event) string { return "test: {detail}" },
	},
}

func alwaysAwaited(*Event) bool { return true }

// runsCommand reports whether a command runs. An event without Argv only extends the grant of a
// command that ran before.
func runsCommand(e *Event) bool { return e.Argv != nil }

func execText(e *Event) string {
	switch {
	case e.Argv == nil:
		return "put off the undo of its command for {ttl}"
	case e.Grant != 0:
		return "run {argv}, with undo after {ttl}"
	}
	return "run {argv}"
}

// row returns the row of an effect. A number that is no effect has an empty row.
func (e Effect) row() *effectRow {
	if int(e) >= len(effects) {
		return &effects[0]
	}
	return &effects[e]
}

// known reports whether an engine can have requested the effect.
func (e Effect) known() bool { return e > 0 && e < EffectTest }

// Name returns the name of the effect in transcripts. Effects that a reader need not
// distinguish share one.
func (e Effect) Name() string { return e.row().name }

// Gives reports whether the effect gives something new. Such an effect may be refused without
// loss: the engine takes it back.
func (e Effect) Gives() bool { return e.row().gives }

// Lasts reports whether the effect has a time for which it holds, its TTL.
func (e Effect) Lasts() bool { return e.row().lasts }

// Shown reports whether transcripts have the event. Records, and how the kernel's
// elements follow the grants, are the daemon's own business.
func (e *Event) Shown() bool { return e.Kind != EventEffect || e.Effect.row().shown }

// Template returns the text of an effect for people, with placeholders for fields of the event:
// {port}, {ttl}, {argv} and {detail}. It is "" for an effect that is not shown.
func (e *Event) Template() string {
	if text := e.Effect.row().text; text != nil {
		return text(e)
	}
	return ""
}
