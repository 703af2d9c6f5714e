package suite

import (
	"bytes"
	"fmt"
	"net/netip"

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
			text = append(text, fmt.Sprintf("%s at %s: %s", a.source, transcript.Safe(a.door), line))
		}
	}
	if len(text) == 0 && door != "" && t.result.Packets > 0 {
		text = []string{"no packet of the step was a knock of " + transcript.Safe(door)}
	}
	return text
}

// firstDifference returns the first line in which two transcripts differ, of both.
func firstDifference(want, got []byte) (expected, came string) {
	wants, gots := bytes.Split(want, []byte("\n")), bytes.Split(got, []byte("\n"))
	line := func(all [][]byte, i int) string {
		if i < len(all) && len(all[i]) > 0 {
			return string(all[i])
		}
		return "the end"
	}
	for i := range max(len(wants), len(gots)) {
		if expected, came = line(wants, i), line(gots, i); expected != came {
			return expected, came
		}
	}
	return expected, came
}
