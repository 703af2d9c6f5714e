package compare

import (
	"slices"
	"strings"

	"sesame/daemon/transcript"
)

// differences tells for people what two openings that come of the same knocks give differently; nil
// for nothing.
func differences(was, is *Opening) (list []string) {
	if was.Packet != is.Packet || was.Capture != is.Capture {
		list = append(list, "opens with packet "+packetName(is)+", before with packet "+packetName(was))
	}
	return append(append(list, grants(was, is)...), commands(was.Commands, is.Commands)...)
}

func packetName(o *Opening) string {
	if o.Capture > 0 {
		return transcript.Number(o.Packet) + " of capture " + transcript.Number(o.Capture)
	}
	return transcript.Number(o.Packet)
}

// grants compares access, by port and source.
func grants(was, is *Opening) (list []string) {
	left := slices.Clone(is.Grants)
	for i := range was.Grants {
		g := &was.Grants[i]
		at := slices.IndexFunc(left, func(n Grant) bool { return n.Port == g.Port && n.Source == g.Source })
		if at < 0 {
			list = append(list, "no longer "+g.String())
			continue
		}
		list = append(list, terms(g, &left[at])...)
		left = slices.Delete(left, at, at+1)
	}
	for i := range left {
		list = append(list, "also "+left[i].String())
	}
	return list
}

// terms compares two grants of one port and source. When their times to live are the same, they may
// end otherwise all the same. What a later opening extended is told by that.
func terms(was, is *Grant) (list []string) {
	switch {
	case was.TTL != is.TTL:
		list = append(list, was.String()+" -> "+is.TTL)
	case was.Ended != "" && is.Ended != "" && (was.Ended != is.Ended || was.Reason != is.Reason):
		list = append(list, was.Port+": "+ending(was)+" -> "+ending(is))
	}
	if was.Cut != is.Cut {
		list = append(list, was.Port+": sessions "+cutText(was.Cut)+" -> "+cutText(is.Cut))
	}
	return list
}

// ending tells when a grant ended.
func ending(g *Grant) string {
	return strings.ReplaceAll(g.Reason, "_", " ") + " after " + g.Ended
}

func cutText(cut bool) string {
	if cut {
		return "end with the grant"
	}
	return "go on"
}

// commands compares what was run, in whatever order.
func commands(was, is [][]string) (list []string) {
	left := slices.Clone(is)
	for _, argv := range was {
		at := slices.IndexFunc(left, func(other []string) bool { return slices.Equal(argv, other) })
		if at < 0 {
			list = append(list, "no longer runs "+transcript.Command(argv))
			continue
		}
		left = slices.Delete(left, at, at+1)
	}
	for _, argv := range left {
		list = append(list, "runs "+transcript.Command(argv))
	}
	return list
}
