//go:build linux

package main

import (
	"fmt"
	"strings"

	"sesame/daemon/control"
	"sesame/daemon/transcript"
)

// listedLines is how many sources the text of a status lists of each kind. The JSON has more.
const listedLines = 5

// reachedLines describes the latest results of granted packets.
func reachedLines(s *control.Status) string {
	var lines []string
	for i := range s.Reached[:min(len(s.Reached), listedLines)] {
		m := &s.Reached[i]
		lines = append(lines, fmt.Sprintf("%s at %s: %s, at %s", m.Source, m.Port, m.Short(), formatTime(m.Last)))
	}
	return strings.Join(lines, "\n")
}

// refusedLines describes the sources that guards refused last.
func refusedLines(s *control.Status) string {
	var lines []string
	for _, one := range s.Refused[:min(len(s.Refused), listedLines)] {
		lines = append(lines, fmt.Sprintf("%s at %s: %s, last at %s", one.Source, one.Port, transcript.Count(int(one.Packets), "packet"), formatTime(one.Last)))
	}
	if more := len(s.Refused) - len(lines); more > 0 {
		lines = append(lines, fmt.Sprintf("and %s: sesame status --json", transcript.Count(more, "more source")))
	}
	if s.RefusedUnlisted > 0 {
		lines = append(lines, fmt.Sprintf("and %s since the start, of sources that are not listed: too many came at a time", transcript.Count(int(s.RefusedUnlisted), "packet")))
	}
	return strings.Join(lines, "\n")
}
