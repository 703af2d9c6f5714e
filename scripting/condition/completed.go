package condition

import (
	"fmt"
	"time"

	"sesame/daemon/engine"
	"sesame/daemon/transcript"
)

// Completed is the kind of condition that holds for a while after somebody
// completed a door.
func Completed() Kind {
	return Kind{
		Name: "completed", Type: `{ "door", within = duration }`,
		Doc:     "Makes a condition that holds for a while after somebody, from whatever address, completed the sequence of a door.",
		Example: `local bob = sesame.completed { "bob", within = "5m" }`,
		Options: []Option{{
			Name: "within", Type: "duration", Required: true, Doc: "How long it holds. At exactly its end it does not.",
			Expected: `a duration such as "5m"`, Parse: parser(ParseDuration),
		}},
		Item:      doorItem,
		NamesPart: true,
		Build: func(name string, v Values) (engine.Condition, error) {
			door, err := oneDoor(v)
			return &completed{own(name, door, v), engine.Completion{Door: door, Within: named(v, "within", time.Duration(0))}}, err
		},
	}
}

type completed struct {
	name   string
	wanted engine.Completion
}

// Check implements [engine.Condition].
func (d *completed) Check(c *engine.Call) (engine.Verdict, error) {
	if c.Completed(d.wanted) {
		return engine.Verdict{Outcome: engine.Yes, Condition: d.name, Detail: d.String()}, nil
	}
	return engine.Verdict{Condition: d.name, Detail: fmt.Sprintf("%s: nobody completed %q within %s", d.name, d.wanted.Door, transcript.Duration(d.wanted.Within))}, nil
}

// Name implements [engine.Condition].
func (d *completed) Name() string { return d.name }

// String returns `bob: "bob" completed within 5m`.
func (d *completed) String() string {
	return fmt.Sprintf("%s: %q completed within %s", d.name, d.wanted.Door, transcript.Duration(d.wanted.Within))
}

// Door returns the door that must be completed.
func (d *completed) Door() string { return d.wanted.Door }

// Completion returns what a condition of the kind Completed asks for. False: it
// is of another kind.
func Completion(c engine.Condition) (engine.Completion, bool) {
	d, ok := c.(*completed)
	if !ok {
		return engine.Completion{}, false
	}
	return d.wanted, true
}

// DoorOf returns the door that a condition is about, "" for none.
func DoorOf(c engine.Condition) string {
	if about, ok := c.(interface{ Door() string }); ok {
		return about.Door()
	}
	return ""
}
