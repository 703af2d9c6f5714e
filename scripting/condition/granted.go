package condition

import (
	"fmt"

	"sesame/daemon/engine"
)

// Granted is the kind of condition that holds while the source has a live grant
// of a door.
func Granted() Kind {
	return Kind{
		Name: "granted", Type: `"door" or { "door", options }`,
		Doc:       "Makes a condition that holds while the source has a live grant of a door.",
		Example:   `local vpn = sesame.granted "vpn"`,
		Item:      doorItem,
		Text:      true,
		NamesPart: true,
		Build: func(name string, v Values) (engine.Condition, error) {
			door, err := oneDoor(v)
			return &granted{own(name, door, v), door}, err
		},
	}
}

// doorItem is the name of a door. That there is such a door is checked when the
// whole set is loaded: see [Doors].
var doorItem = &Option{Type: "the name of a door", Expected: `the name of a door such as "vpn"`, Parse: func(text string) (any, error) { return text, nil }}

// oneDoor returns the only entry of a list.
func oneDoor(v Values) (string, error) {
	if len(v.List) != 1 {
		return "", fmt.Errorf("expected the name of one door, got %d", len(v.List))
	}
	return v.List[0].(string), nil
}

// own returns the name that the script gave, and otherwise that of the door.
func own(name, door string, v Values) string {
	if v.Nameless {
		return door
	}
	return name
}

type granted struct{ name, door string }

// Check implements [engine.Condition].
func (g *granted) Check(c *engine.Call) (engine.Verdict, error) {
	if _, ok := c.Granted(g.door); ok {
		return engine.Verdict{Outcome: engine.Yes, Condition: g.name, Detail: g.String()}, nil
	}
	return engine.Verdict{Condition: g.name, Detail: g.name + ": no grant" + g.ofDoor()}, nil
}

// Name implements [engine.Condition].
func (g *granted) Name() string { return g.name }

// String returns "vpn: a grant", with the door if it has another name.
func (g *granted) String() string { return g.name + ": a grant" + g.ofDoor() }

func (g *granted) ofDoor() string {
	if g.name == g.door {
		return ""
	}
	return fmt.Sprintf(" of door %q", g.door)
}

// Door returns the door whose grant is asked for.
func (g *granted) Door() string { return g.door }
