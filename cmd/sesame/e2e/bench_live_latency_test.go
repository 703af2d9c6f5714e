//go:build linux

package e2e

import (
	"fmt"
	"time"

	"sesame/daemon/livetest"
)

// measureStarts measures how long a start takes, until the ports are guarded, and then the first
// opening, when nothing is warm yet.
func measureStarts(l *liveBench) {
	const rounds = 15
	p := l.newProber()
	var starts, opens []time.Duration
	for i := range rounds {
		state := l.TempDir()
		began := time.Now()
		s := l.startSesame(state, threeKnocks)
		starts = append(starts, time.Since(began))
		p.knock(s.doors[0], livetest.Source4(i))
		took, open := p.opens(livetest.Source4(i), 5*time.Second)
		if !open {
			l.Fatalf("start %d: it does not open\n%s", i, s.output())
		}
		opens = append(opens, took)
		_ = s.cmd.Process.Kill() // it is asked whether it has exited
		<-s.exited
	}
	l.ReportMetric(microseconds(percentile(starts, 50))/1000, "start-median-ms")
	l.ReportMetric(microseconds(percentile(opens, 50)), "first-open-median-µs")
}

// measureWatch measures how long it takes until an edit that nobody announces is in force. An edit
// waits until the file is left alone for a while, so this is more than a reload.
func measureWatch(l *liveBench) {
	const edits = 25
	s := l.startSesame(l.TempDir(), threeKnocks)
	var took []time.Duration
	for n := range edits {
		generation := s.status().Scripts.Generation
		door := liveDoor{"other", []string{"tcp/7100", fmt.Sprintf("tcp/%d", 7200+n%2), "tcp/7300"}, "tcp/22", 5 * time.Second, time.Second}
		began := time.Now()
		s.write("other.lua", door.script())
		if !within(patience, func() bool { return s.status().Scripts.Generation > generation }) {
			l.Fatalf("edit %d is not applied:\n%s", n, s.output())
		}
		took = append(took, time.Since(began))
		<-time.After(200 * time.Millisecond)
	}
	l.ReportMetric(microseconds(percentile(took, 50))/1000, "edit-median-ms")
}

// measureReloadsAlone measures reloads that a person asks for, when nobody knocks.
func measureReloadsAlone(l *liveBench) {
	const reloads = 200
	s := l.startSesame(l.TempDir(), threeKnocks)
	took := make([]time.Duration, reloads)
	for n := range took {
		began := time.Now()
		s.exchange(n)
		took[n] = time.Since(began)
	}
	l.ReportMetric(microseconds(percentile(took, 50))/1000, "reload-median-ms")
}
