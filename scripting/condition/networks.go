package condition

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"sesame/daemon/engine"
	"sesame/daemon/packet"
)

// Networks is the kind of condition that holds for sources in one of some
// networks.
func Networks() Kind {
	return Kind{
		Name: "networks", Type: "{ network, ..., options }",
		Doc:     "Makes a condition that holds for sources in one of the networks.",
		Example: `local office = sesame.networks { "203.0.113.0/24", "2001:db8::/32" }`,
		Item:    &Option{Type: "a network", Expected: `a network such as "203.0.113.0/24"`, Parse: parser(packet.ParseNetwork)},
		Build: func(name string, v Values) (engine.Condition, error) {
			if len(v.List) == 0 {
				return nil, errors.New(`expected at least one network, such as "203.0.113.0/24"`)
			}
			return &networks{name, list[netip.Prefix](v)}, nil
		},
	}
}

type networks struct {
	name     string
	prefixes []netip.Prefix
}

// Check implements [engine.Condition].
func (n *networks) Check(c *engine.Call) (engine.Verdict, error) {
	if slices.ContainsFunc(n.prefixes, func(p netip.Prefix) bool { return p.Contains(c.Source) }) {
		return engine.Verdict{Outcome: engine.Yes}, nil
	}
	return engine.Verdict{Condition: n.name, Detail: n.String()}, nil
}

// Name implements [engine.Condition].
func (n *networks) Name() string { return n.name }

// String returns "office: 203.0.113.0/24, 2001:db8::/32". Of a long list it
// shows the first four.
func (n *networks) String() string {
	const shown = 4
	var texts []string
	for _, prefix := range n.prefixes[:min(shown, len(n.prefixes))] {
		texts = append(texts, prefix.String())
	}
	text := n.name + ": " + strings.Join(texts, ", ")
	if more := len(n.prefixes) - shown; more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}
