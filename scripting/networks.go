package scripting

import (
	"fmt"
	"net/netip"
	"strings"

	"sesame/daemon/engine"
	"sesame/scripting/source"
)

// Networks is a list of networks that a source must be in. It is an
// [engine.Condition].
type Networks struct {
	Name     string
	Place    source.Place
	Prefixes []netip.Prefix
}

// Contains reports whether source is in one of the networks.
func (n *Networks) Contains(source netip.Addr) bool {
	for _, prefix := range n.Prefixes {
		if prefix.Contains(source) {
			return true
		}
	}
	return false
}

// Check implements [engine.Condition].
func (n *Networks) Check(m *engine.Call) (engine.Verdict, error) {
	if n.Contains(m.Source) {
		return engine.Verdict{OK: true}, nil
	}
	return engine.Verdict{Detail: n.String()}, nil
}

// String returns "office: 203.0.113.0/24, 2001:db8::/32". Of a long list it
// shows the first four.
func (n *Networks) String() string {
	const shown = 4
	var texts []string
	for _, prefix := range n.Prefixes[:min(shown, len(n.Prefixes))] {
		texts = append(texts, prefix.String())
	}
	text := n.Name + ": " + strings.Join(texts, ", ")
	if more := len(n.Prefixes) - shown; more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}
