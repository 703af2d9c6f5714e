package main

import (
	"fmt"
	"strings"

	"sesame/daemon/transcript"
	"sesame/scripting/lint"
)

// odds are those of a door, as programs get them.
type odds struct {
	lint.Odds
	Within string `json:"within"`
}

// oddsFor returns a list that is not nil.
func oddsFor(all []lint.Odds) []odds {
	told := make([]odds, len(all))
	for i, o := range all {
		told[i] = odds{o, transcript.Duration(o.Within)}
	}
	return told
}

// String returns the odds of a door in one line, for people.
func (o odds) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s:%d: %s: ", o.File, o.Line, o.Door)
	if o.Knocks == 1 {
		fmt.Fprintf(&b, "%s ports", lint.Grouped(o.Combinations))
	} else {
		fmt.Fprintf(&b, "65,535^%d = %s sequences of %d ports", o.Knocks, lint.Grouped(o.Combinations), o.Knocks)
	}
	var protocols []string
	for _, protocol := range o.Protocols {
		protocols = append(protocols, strings.ToUpper(protocol))
	}
	ports := strings.Join(protocols, " and ") + " ports"
	switch {
	case o.Never != "":
		fmt.Fprintf(&b, "; no single scan of all %s opens it: %s", ports, o.Never)
	case o.Scans == "1":
		fmt.Fprintf(&b, "; each scan of all %s opens it", ports)
	case o.AtLeast:
		fmt.Fprintf(&b, "; a scan of all %s in random order opens it at most once in %s times", ports, lint.Grouped(o.Scans))
	default:
		fmt.Fprintf(&b, "; a scan of all %s in random order opens it once in about %s times", ports, lint.Grouped(o.Scans))
	}
	if o.Rate > 0 {
		fmt.Fprintf(&b, ", at %s packets a second within %s", lint.Grouped(fmt.Sprint(o.Rate)), o.Within)
	}
	if o.Surely > 0 {
		fmt.Fprintf(&b, "; %d scans within %s surely open it, at %s packets a second", o.Surely, o.Within, lint.Grouped(fmt.Sprint(o.SurelyRate)))
	}
	return b.String()
}
