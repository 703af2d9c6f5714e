package main

import (
	"fmt"
	"strings"

	"sesame/daemon/transcript"
	"sesame/scripting/lint"
)

// A guess describes how likely guesses and scans are to open a door. It is written as JSON.
type guess struct {
	lint.Guess
	Within string `json:"within"`
}

// guesses returns a list that is not nil, so that JSON has an empty list for no doors.
func guesses(all []lint.Guess) []guess {
	list := make([]guess, len(all))
	for i, o := range all {
		list[i] = guess{o, transcript.Duration(o.Within)}
	}
	return list
}

// String returns the figures of a door in one line.
func (o guess) String() string {
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
