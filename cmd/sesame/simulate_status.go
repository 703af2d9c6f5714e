package main

import (
	"maps"
	"slices"
	"strings"

	"sesame/daemon/transcript"
	"sesame/simulate"
)

// judge prints warnings about the input and sets the exit status.
func (p *program) judge(report *simulate.Report) {
	if report.Clamped > 0 {
		p.warn("%s stamped earlier than the one before: taken as simultaneous with it", transcript.Count(report.Clamped, "packet"))
	}
	for _, step := range report.Steps {
		p.warn("%v", step)
	}
	if report.MoreSteps > 0 {
		p.warn("the clock was set back %s more", transcript.Count(report.MoreSteps, "time"))
	}
	for _, u := range report.Unstamped {
		p.warn("%s: %s without a time stamp: each counts as simultaneous with the packet before it, so no time in a sequence is ever over; convert the capture of a program that writes stamps",
			u.Capture, transcript.Count(u.Frames, "packet"))
	}
	if report.Cut > 0 {
		p.warn("%s cut short when recorded: scripts saw a part of the payload; record with tcpdump -s 0", transcript.Count(report.Cut, "packet"))
	}
	for _, kind := range slices.Sorted(maps.Keys(report.Unreadable)) {
		remedy := kind.Remedy()
		if remedy != "" {
			remedy = ": " + remedy
		}
		p.warn("%s of %s, which Sesame cannot read%s", transcript.Count(report.Unreadable[kind], "packet"), simulate.KindName(kind), remedy)
	}
	for _, name := range slices.Sorted(maps.Keys(report.Tunnels)) {
		p.warn("%s in a tunnel: --decap %s looks into it", transcript.Count(report.Tunnels[name], "packet"), name)
	}
	if report.Unanswered > 0 {
		p.warn("%s of the scripts had no recorded answer, and counted as unknown: this replay is not exact", transcript.Count(report.Unanswered, "question"))
	}
	if report.Unended > 0 {
		p.warn("%s of functions that was ended by the clock did not come: this replay is not exact", transcript.Count(report.Unended, "run"))
	}
	if len(report.Withheld) > 0 {
		p.warn("the recording leaves out the one-time sequences of %s, and this machine has no such file as it was: here its doors open nothing, and effects count as done; this replay is not exact. "+
			"On the machine of the daemon sesame explain is exact, and sesame record --with-secrets records them", transcript.Safe(strings.Join(report.Withheld, ", ")))
	}
	p.noteRecording(report)
	if report.Errors > 0 {
		p.status = answerNo
	}
	for _, err := range slices.Concat(report.Unread, report.Incomplete) {
		p.warn("%v", err)
		p.status = couldNot
	}
}
