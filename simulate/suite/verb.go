package suite

import (
	"fmt"

	"sesame/daemon/transcript"
	"sesame/scripting/spec"
)

// A verb is how messages say what happened. Each text has a place for the door or the command.
type verb struct{ was, wasNot string }

var verbs = [kinds]verb{
	spec.Opens:   {"%s opened", "%s did not open"},
	spec.Refuses: {"%s refused", "%s did not refuse"},
	spec.Misses:  {"an attempt at %s ended unfinished", "no attempt at %s ended unfinished"},
	spec.Fails:   {"%s failed", "%s did not fail"},
	spec.Closes:  {"a grant of %s ended", "no grant of %s ended"},
	allows:       {"%s was allowed", "%s was not allowed"},
	runs:         {"%s ran", "%s did not run"},
	logs:         {"%s was logged", "%s was not logged"},
}

// is says that it happened.
func (v verb) is(subject string) string { return fmt.Sprintf(v.was, named(subject)) }

// not says that it did not happen as it was expected.
func (v verb) not(subject string) string { return fmt.Sprintf(v.wasNot, named(subject)) }

// otherwise says that it happened, and that something about it was not as it was expected.
func (v verb) otherwise(subject string) string { return v.is(subject) + ", but not as expected" }

// counted says how often it happened.
func (v verb) counted(subject string, n int) string {
	return v.is(subject) + " " + transcript.Count(n, "time")
}

func named(subject string) string {
	if subject == "" {
		return "something"
	}
	return transcript.Safe(subject)
}

// subject is what a message names: the door, the command, or what else is written first.
func (w *wanted) subject() string {
	switch {
	case w.kind == logs:
		return spec.Quote(w.like.detail)
	case w.kind == allows && w.like.port.Number != 0:
		return w.like.port.String()
	case w.like.command != "":
		return w.like.command
	case w.like.door == "" && w.kind < allows:
		return "a door"
	}
	return w.like.door
}
