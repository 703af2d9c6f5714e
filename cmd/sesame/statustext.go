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

// writeStatus writes the status as text: that the daemon only observes, then what is wrong,
// then what it does.
func writeStatus(b *strings.Builder, s *control.Status) {
	writeObserved(b, s)
	wrong, noted := wrongs(s), notes(s)
	for _, one := range wrong {
		b.WriteString("wrong: " + indented(one) + "\n")
	}
	for _, one := range noted {
		b.WriteString("note:  " + indented(one) + "\n")
	}
	if len(wrong)+len(noted) > 0 {
		b.WriteByte('\n')
	}
	health := "nothing is wrong"
	if n := len(wrong); n > 0 {
		health = transcript.Count(n, "thing") + " wrong, see above"
	}
	fmt.Fprintf(b, "sesame %s runs since %s (%s): %s\n", s.Version, formatTime(s.Since), span(s.Now.Sub(s.Since)), health)
	for _, line := range facts(s) {
		if line[1] != "" {
			fmt.Fprintf(b, "%-9s  %s\n", line[0], line[1])
		}
	}
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

// wrongs returns what is wrong now, each with the remedy.
func wrongs(s *control.Status) []string {
	var all []string
	add := func(format string, args ...any) { all = append(all, fmt.Sprintf(format, args...)) }
	if s.Scripts.LastGood {
		add("the scripts at %s failed when the daemon started: the set that was applied last runs instead%s", s.Scripts.Path, until(s))
	}
	switch r := s.LastReload; {
	case r.Outcome.Outcome == control.Rejected:
		add("the scripts were rejected at %s, and generation %d still runs:\n%s", formatTime(r.At), s.Scripts.Generation, r.Error)
	case r.Outcome.Outcome == control.Held:
		add("the scripts were held at %s, and generation %d still runs:\n%s", formatTime(r.At), s.Scripts.Generation, r.Error)
	case s.Scripts.Unreadable != "" && !s.Scripts.LastGood:
		add("the files at %s are not those that run, and cannot be read: %s", s.Scripts.Path, s.Scripts.Unreadable)
	case s.Scripts.Drift && !s.Scripts.LastGood:
		add("the files at %s are not those that run; to load them, run: sesame reload", s.Scripts.Path)
	}
	for _, f := range s.Scripts.Failing {
		add("%s", failing(f))
	}
	for _, one := range s.Scripts.Limited {
		if one.Now {
			add("%s", limited(one))
		}
	}
	if s.Firewall.State != "ok" && s.Firewall.State != "" {
		add("firewall: %s", s.Firewall.State)
	}
	for _, o := range s.Firewall.Conflicts {
		add("chain %s of table %s drops by default, so what a door opens stays shut; to let it through, run:\n%s", o.Chain, o.Table, strings.Join(o.Lines, "\n"))
	}
	if s.ClockDoubt {
		add("the clock of this machine is not synchronised, so windows of time refuse: look at its NTP client (timedatectl, chronyc tracking), or set unsynchronised below [clock] in the configuration")
	}
	for _, name := range s.Capture.Missing {
		add("interface %s: knocks on it are not captured", name)
	}
	if len(s.Capture.Interfaces) == 0 {
		add("no interface is captured: nobody can knock")
	}
	return append(all, wrongFacts(s)...)
}

// failing describes a function that failed when it ran last.
func failing(f control.Failing) string {
	what := "the handler " + f.Handler
	switch {
	case f.Function == "when":
		what = "a condition of door " + f.Door
	case f.Handler == "":
		what = f.Function + " of door " + f.Door
	}
	place := f.File
	if f.Line > 0 {
		place += fmt.Sprintf(":%d", f.Line)
	}
	return fmt.Sprintf("%s failed %s, last at %s, and did nothing: %s: %s\ncorrect the script; this line goes once the function succeeds",
		what, times(f.Count), formatTime(f.At), place, f.Detail)
}

// limited describes a door that refused because of a bound.
func limited(l control.Limited) string {
	what := "because of its limit " + l.Detail
	if l.Bound != "limit" {
		what = "because " + l.Detail
	}
	refused := "refused"
	if l.Now {
		refused = "refuses everybody now"
	}
	text := fmt.Sprintf("door %s %s %s: %s", l.Door, refused, what, transcript.Count(l.Count, "knock"))
	if l.Count > 1 {
		text += " from " + formatTime(l.Since)
	}
	return text + fmt.Sprintf(", last at %s from %s", formatTime(l.Last), l.Source)
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

// until returns what ends the use of the last good set. Held scripts wait for a person.
func until(s *control.Status) string {
	if s.LastReload.Outcome.Outcome == control.Held {
		return ""
	}
	return " until they are fixed; Sesame notices that by itself"
}

// notes returns what went wrong earlier, and what is worth knowing.
func notes(s *control.Status) []string {
	var all []string
	add := func(format string, args ...any) { all = append(all, fmt.Sprintf(format, args...)) }
	if s.Scripts.Generation > 0 && s.Scripts.Doors == 0 {
		add("no script has a door: nobody can knock")
	}
	for _, door := range s.Scripts.UsedUp {
		add("door %s cannot be opened: all of its one-time sequences are used%s", door.Door, refill(door.File))
	}
	for _, one := range s.Scripts.Limited {
		if !one.Now {
			add("%s", limited(one))
		}
	}
	if s.Capture.Lost > 0 {
		add("the kernel had no room for %s: a knock may have been among them", transcript.Count(int(s.Capture.Lost), "packet"))
	}
	if s.Firewall.Repairs > 0 {
		add("somebody else changed the table of sesame; it was repaired %s, last at %s", times(s.Firewall.Repairs), formatTime(s.Firewall.Repaired))
	}
	for _, f := range s.Effects.Failures {
		who := ""
		if f.Source.IsValid() {
			who = " for " + f.Source.String()
		}
		if f.Door != "" {
			who += " (door " + f.Door + ")"
		}
		add("%s%s failed at %s: %s", cmp.Or(effectWords[f.Effect], f.Effect), who, formatTime(f.At), f.Detail)
	}
	if offset := time.Duration(s.Offset); offset.Abs() > time.Second {
		add("the wall clock was set by %s since the daemon started; the times of the transcript are as if it was not", span(offset))
	}
	all = append(all, noteFacts(s)...)
	if s.Recorder.Blind {
		add("the recorder cannot keep up: a recording would end some time ago")
	}
	return all
}

// refill returns where new sequences are written.
func refill(file string) string {
	if file == "" {
		return ""
	}
	return "; write new ones into " + file
}

// effectWords are the plain words for the names of effects.
var effectWords = map[string]string{
	"exec":  "a command",
	"undo":  "an undo command",
	"allow": "access",
	"mark":  "commenting out a used one-time sequence",
	"spend": "recording a used one-time sequence",
}

// times returns "once" or "N times".
func times(n int) string {
	if n == 1 {
		return "once"
	}
	return transcript.Count(n, "time")
}

// facts returns the lines about what the daemon does, as pairs of heading and text.
func facts(s *control.Status) [][2]string {
	scripts := fmt.Sprintf("%s, generation %d since %s, %s", s.Scripts.Path, s.Scripts.Generation, formatTime(s.Scripts.Loaded), transcript.Count(s.Scripts.Doors, "door"))
	if hash := s.Scripts.SHA256; hash != "" {
		scripts += ", sha256 " + hash[:min(12, len(hash))]
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
		{"captures", listOr(s.Capture.Interfaces, "nothing")},
		{"now", now},
		{"counts", s.Counts.String()},
		{"dropped", dropped(s.Counts.Dropped)},
		{"payloads", indented(otherPayloads(s))},
		{"firewall", firewall},
		{"databases", databaseList(s)},
		{"hosts", hostList(s)},
		{"recording", recording},
		{"runs as", s.Privileges},
	}
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
