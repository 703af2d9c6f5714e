package suite

import (
	"fmt"
	"net/netip"
	"strings"

	"sesame/daemon/transcript"
)

// A listedAccount is what became of a source at a door in the step at hand.
type listedAccount struct {
	door   string
	source netip.Addr
	lines  []string
}

// explanation returns what the account says of a door and sources: how far they came, why no
// further, and the smallest change that would have opened the door. An empty door, and an invalid
// network, are any.
func (t *running) explanation(door string, sources netip.Prefix) (text []string) {
	if !t.explain {
		return nil
	}
	if t.listed == nil {
		t.listed = []*listedAccount{}
		for _, a := range t.session.Accounts(t.stopped) {
			t.listed = append(t.listed, &listedAccount{a.Door, a.Source, a.Lines})
		}
	}
	for _, a := range t.listed {
		if !same(door, a.door) || !within(sources, netip.PrefixFrom(a.source, a.source.BitLen())) {
			continue
		}
		for _, line := range a.lines {
			if len(text) == mostLines {
				return append(text, "and more")
			}
			line = strings.Replace(line, "before the capture ended", "before the step ended", 1)
			text = append(text, fmt.Sprintf("%s at %s: %s", a.source, transcript.Safe(a.door), line))
		}
	}
	return text
}
