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
// networks, which stand in the script or in files.
func Networks() Kind {
	return Kind{
		Name: "networks", Type: "{ network, ..., options }",
		Doc:     "Makes a condition that holds for sources in one of the networks.",
		Example: `local office = sesame.networks { "203.0.113.0/24", "2001:db8::/32" }`,
		Options: []Option{{
			Name: "file", Type: "a path, or a list of paths", ReadFile: readNetworks, Limit: maxList,
			Doc: "Files with an address, a network or a range such as 192.0.2.5-192.0.2.9 in a line. Comments begin with # or ;.",
		}},
		Item: &Option{Type: "a network", Expected: `a network such as "203.0.113.0/24"`, Parse: parser(packet.ParseNetwork)},
		Build: func(name string, v Values) (engine.Condition, error) {
			n := &networks{name: name, prefixes: list[netip.Prefix](v), files: files[*networkList](v, "file")}
			if len(n.prefixes) == 0 && len(n.files) == 0 {
				return nil, errors.New(`expected at least one network, such as "203.0.113.0/24", or a file of them: file = "lists/office.txt"`)
			}
			for _, prefix := range n.prefixes {
				n.inline.Insert(prefix)
			}
			return n, nil
		},
	}
}

type networks struct {
	name     string
	prefixes []netip.Prefix // that stand in the script, in their order
	inline   networkTable   // the same
	files    []*networkList
}

// Check implements [engine.Condition]. It finds the smallest network that has
// the source.
func (n *networks) Check(c *engine.Call) (engine.Verdict, error) {
	network, file := n.inline.find(c.Source), ""
	for _, f := range n.files {
		if found := f.find(c.Source); found.Bits() > network.Bits() { // -1 when there is none
			network, file = found, " ("+f.name+")"
		}
	}
	if !network.IsValid() {
		return engine.Verdict{Condition: n.name, Detail: n.String()}, nil
	}
	return engine.Verdict{
		Outcome: engine.Yes, Condition: n.name, Detail: fmt.Sprintf("%s: %s is in %s%s", n.name, c.Source, network, file),
		Fields: []engine.Field{{Key: engine.FieldNetwork, Value: network.String()}},
	}, nil
}

// Name implements [engine.Condition].
func (n *networks) Name() string { return n.name }

// String returns "office: 203.0.113.0/24, 2001:db8::/32, tor.netset (1203
// networks)". Of a long list it shows the first four.
func (n *networks) String() string {
	const shown = 4
	var texts []string
	for _, prefix := range n.prefixes[:min(shown, len(n.prefixes))] {
		texts = append(texts, prefix.String())
	}
	more := ""
	if hidden := len(n.prefixes) - shown; hidden > 0 {
		more = fmt.Sprintf(" and %d more", hidden)
	}
	text := n.name + ": " + strings.Join(texts, ", ") + more
	for i, f := range n.files {
		if i > 0 || texts != nil {
			text += ", "
		}
		text += fmt.Sprintf("%s (%d networks)", f.name, f.Size())
	}
	return text
}

// private reports whether all networks are private. Those of files may change.
func (n *networks) private() bool {
	return len(n.files) == 0 && !slices.ContainsFunc(n.prefixes, func(p netip.Prefix) bool {
		own := privateNetwork(p.Addr())
		return !own.IsValid() || own.Bits() > p.Bits()
	})
}
