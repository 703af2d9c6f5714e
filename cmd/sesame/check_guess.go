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
	all := lint.Range(o.Protocols, o.From, o.To)
	switch {
	case o.Never != "":
		fmt.Fprintf(&b, "; no single scan of %s opens it: %s", all, o.Never)
	case o.Scans == "1":
		fmt.Fprintf(&b, "; each scan of %s opens it", all)
	default:
		fmt.Fprintf(&b, "; %s", o.often())
	}
	if o.Rate > 0 {
		fmt.Fprintf(&b, ", at %s packets a second within %s", lint.Grouped(fmt.Sprint(o.Rate)), o.Within)
	}
	for _, s := range o.scans() {
		if s.Surely > 0 {
			fmt.Fprintf(&b, "; %d scans of %s within %s surely open it, at %s packets a second",
				s.Surely, lint.Range(s.Protocols, s.From, s.To), o.Within, lint.Grouped(fmt.Sprint(s.SurelyRate)))
			break
		}
	}
	return b.String()
}

// scans returns the scans that are looked at, the worst first.
func (o guess) scans() []lint.Scan {
	if o.Worst == nil {
		return []lint.Scan{o.Scan}
	}
	return []lint.Scan{*o.Worst, o.Scan}
}

// often returns how often scans in random order open the door. A range that changes nothing is left
// out.
func (o guess) often() string {
	scans := o.scans()
	if scans[0].Scans == o.Scans {
		scans = scans[len(scans)-1:]
	}
	var texts []string
	for i, s := range scans {
		text := "a scan of " + lint.Range(s.Protocols, s.From, s.To)
		if i == 0 {
			text += " in random order opens it"
		}
		if s.AtLeast {
			text += " at most once in "
		} else {
			text += " once in about "
		}
		text += lint.Grouped(s.Scans) + " times"
		if s.Tripwires > 0 {
			text += fmt.Sprintf(" (%d of the ports are tripwires)", s.Tripwires)
		}
		texts = append(texts, text)
	}
	return strings.Join(texts, ", and ")
}
