//go:build linux

package main

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"sesame/daemon/control"
	"sesame/daemon/transcript"
)

// writeStatus writes the status as text: the verdict, that the daemon only observes, then what is
// wrong, then what it does. Scripts may rely on the first line, and on the first word of the lines
// of what is wrong.
func writeStatus(b *strings.Builder, s *control.Status) {
	h := &s.Health
	fmt.Fprintf(b, "health: %s\n", verdict(h))
	writeObserved(b, s)
	for _, one := range h.Reasons {
		b.WriteString("wrong: " + indented(one.String()) + "\n")
	}
	for _, one := range h.Notes {
		b.WriteString("note:  " + indented(one.String()) + "\n")
	}
	if len(h.Reasons)+len(h.Notes) > 0 {
		b.WriteByte('\n')
	}
	health := "nothing is wrong"
	if n := len(h.Reasons); n > 0 {
		health = transcript.Count(n, "thing") + " wrong, see above"
	}
	fmt.Fprintf(b, "sesame %s runs since %s (%s): %s\n", s.Version, formatTime(s.Since), span(s.Now.Sub(s.Since)), health)
	for _, line := range facts(s) {
		if line[1] != "" {
			fmt.Fprintf(b, "%-9s  %s\n", line[0], line[1])
		}
	}
}

// verdict returns the verdict in one line, with the code of each reason once.
func verdict(h *control.Health) string {
	var codes []string
	for _, one := range h.Reasons {
		if !slices.Contains(codes, one.Code) {
			codes = append(codes, one.Code)
		}
	}
	if len(codes) == 0 {
		return string(h.Verdict)
	}
	return string(h.Verdict) + ": " + list(codes)
}

// writeObserved writes which packets the observing guards let through and would have dropped.
func writeObserved(b *strings.Builder, s *control.Status) {
	switch {
	case s.Mode == control.Observe:
		b.WriteString("observe: decisions are only reported; nothing is guarded, opened or run\n")
	case len(s.Scripts.Observed) > 0 || len(s.Observed) > 0:
		fmt.Fprintf(b, "observe: decisions of %s are only reported; %s guarded\n", listOr(s.Scripts.Observed, "some doors"), isNot(s.Observed))
	default:
		return
	}
	if len(s.Stopped) == 0 {
		b.WriteString("nobody would have been stopped\n\n")
		return
	}
	b.WriteString("these would have been stopped:\n")
	for _, one := range s.Stopped {
		fmt.Fprintf(b, "  %-15s  %s, %s, last at %s\n", one.Source, one.Port, transcript.Count(int(one.Packets), "packet"), formatTime(one.Last))
	}
	b.WriteByte('\n')
}

// isNot returns "tcp/22 is not", in the plural for several ports.
func isNot(ports []string) string {
	switch len(ports) {
	case 0:
		return "none of their guards is"
	case 1:
		return ports[0] + " is not"
	}
	return list(ports) + " are not"
}

// otherPayloads describes the packets that were no knock because of their payload.
func otherPayloads(s *control.Status) string {
	var parts []string
	for _, one := range s.Scripts.OtherPayloads {
		parts = append(parts, fmt.Sprintf("door %s: %s with another payload, last at %s from %s: %s",
			one.Door, transcript.Count(one.Count, "packet"), formatTime(one.Last), one.Source, one.Detail))
	}
	return strings.Join(parts, "\n")
}

// facts returns the lines about what the daemon does, as pairs of heading and text.
func facts(s *control.Status) [][2]string {
	scripts := fmt.Sprintf("%s, generation %d since %s, %s", s.Scripts.Path, s.Scripts.Generation, formatTime(s.Scripts.Loaded), transcript.Count(s.Scripts.Doors, "door"))
	if hash := s.Scripts.SHA256; hash != "" {
		scripts += ", sha256 " + hash[:min(12, len(hash))]
	}
	if s.Scripts.From != "" {
		scripts += ", from " + s.Scripts.From
	}
	now := transcript.Count(s.Live.Attempts, "attempt") + ", " + transcript.Count(s.Live.Grants, "grant")
	if s.Effects.Queued > 0 {
		now += ", " + transcript.Count(s.Effects.Queued, "effect") + " to do"
	}
	firewall := s.Firewall.Mode
	if s.Firewall.Mark != "" && len(s.Guards) > 0 {
		firewall += ", granted packets carry mark " + s.Firewall.Mark
	}
	recording := ""
	if !s.Recorder.From.IsZero() {
		recording = "since " + formatTime(s.Recorder.From) + ", " + size(s.Recorder.Bytes)
	}
	return [][2]string{
		{"guards", listOr(s.Guards, "none")},
		{"observes", list(s.Observed)},
		{"scripts", scripts},
		{"trial", trialLine(s)},
		{"captures", listOr(s.Capture.Interfaces, "nothing")},
		{"now", now},
		{"counts", s.Counts.String()},
		{"dropped", dropped(s.Counts.Dropped)},
		{"payloads", indented(otherPayloads(s))},
		{"firewall", firewall},
		{"reached", indented(reachedLines(s))},
		{"refused", indented(refusedLines(s))},
		{"databases", databaseList(s)},
		{"hosts", hostList(s)},
		{"recording", recording},
		{"runs as", runsAs(s)},
		{"confined", s.Confinement},
	}
}

// trialLine tells when the trial ends that runs.
func trialLine(s *control.Status) string {
	if last := s.LastReload.Trial; s.Trial == nil && last != nil && last.State == control.TrialConfirmed {
		return "confirmed at " + formatTime(s.LastReload.At) + ": " + last.Why
	}
	if s.Trial == nil {
		return ""
	}
	return fmt.Sprintf("until %s, for %s more; to keep the scripts: sesame confirm", formatTime(s.Trial.Ends), span(time.Duration(s.Trial.Remaining)))
}

// runsAs names the user of the daemon, which one of an older version does not tell.
func runsAs(s *control.Status) string {
	if s.User == "" {
		return s.Privileges
	}
	return s.User + ", with " + s.Privileges
}

// dropped formats drops like the summary of a transcript.
func dropped(by map[string]int) string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(by)) {
		parts = append(parts, transcript.Number(by[name])+" "+strings.ReplaceAll(name, "_", " "))
	}
	return strings.Join(parts, ", ")
}

// list returns names with commas between them.
func list(names []string) string { return strings.Join(names, ", ") }

// listOr returns a list, or the text for an empty one.
func listOr(names []string, none string) string { return cmp.Or(list(names), none) }

// indented indents all lines but the first.
func indented(text string) string {
	return strings.ReplaceAll(strings.TrimRight(text, "\n"), "\n", "\n    ")
}
