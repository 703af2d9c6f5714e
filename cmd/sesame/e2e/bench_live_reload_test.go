//go:build linux

package e2e

import (
	"fmt"
	"iter"
	"net/netip"
	"slices"
	"sync/atomic"
	"time"

	"sesame/daemon/control"
	"sesame/daemon/livetest"
)

// measureReloads reloads a thousand times, while people knock at a door that both
// script sets have. Each that knocks the whole sequence must get in.
func measureReloads(l *liveBench) {
	const reloads, rate = 1000, 20_000
	door := liveDoor{"ssh", threeKnocks.knocks, "tcp/22", 10 * time.Second, time.Second}
	s := l.startSesame(l.TempDir(), door)
	l.newProber().mustOpen(s)
	before := s.status().Counts
	took := make([]time.Duration, reloads)
	began, processor := time.Now(), s.processor()
	sent := l.during(sequences(door), rate, func() {
		for n := range took {
			start := time.Now()
			s.exchange(n)
			took[n] = time.Since(start)
		}
	})
	length := time.Since(began)
	s.taken(before.Packets + sent.packets)
	status := s.status()
	l.Logf("%d refusals, %d failures, %d packets dropped: %v", status.Counts.Refusals-before.Refusals, len(status.Effects.Failures),
		status.Capture.Lost, status.Counts.Dropped)
	if len(status.Effects.Failures) > 0 {
		l.Logf("the last failure: %+v", status.Effects.Failures[len(status.Effects.Failures)-1])
	}
	l.ReportMetric(float64(status.Scripts.Generation-1), "reloads")
	l.ReportMetric(microseconds(percentile(took, 50))/1000, "reload-median-ms")
	l.ReportMetric(microseconds(percentile(took, 99))/1000, "reload-p99-ms")
	l.ReportMetric(float64(sent.packets)/length.Seconds(), "knocks/s")
	l.ReportMetric(float64(status.Capture.Lost), "lost-knocks")
	l.ReportMetric(float64(sent.sequences-(status.Counts.Opens-before.Opens)), "lost-opens")
	l.ReportMetric((s.processor()-processor).Seconds()/length.Seconds(), "processors")
}

// exchange lets sesame load other scripts than those that run: a second door
// beside the first, which is as it was.
func (s *subject) exchange(n int) {
	s.l.Helper()
	other := liveDoor{"other", []string{"tcp/7100", fmt.Sprintf("tcp/%d", 7200+n%2), "tcp/7300"}, "tcp/22", 5 * time.Second, time.Second}
	s.write("other.lua", other.script())
	outcome, err := s.client.Reload(s.l.Context(), control.ReloadRequest{})
	if err != nil || outcome.Outcome != control.Applied && outcome.Outcome != control.Unchanged {
		s.l.Fatalf("reload %d: %+v, %v\n%s", n, outcome, err, s.output())
	}
}

// traffic counts what was sent.
type traffic struct{ packets, sequences int }

// A group is knocks that follow each other, and how many whole sequences are
// among them.
type group struct {
	knocks    []livetest.Knock
	sequences int
}

// during does something while groups are sent, the last as whole as the others,
// and returns what was sent.
func (l *liveBench) during(groups iter.Seq[group], rate int, do func()) (sent traffic) {
	l.Helper()
	var stop atomic.Bool
	done := make(chan error, 1)
	go func() {
		_, _, err := l.net.Client.Send(l.Context(), func(yield func(livetest.Knock) bool) {
			for g := range groups {
				if stop.Load() || l.Failed() {
					return
				}
				for _, k := range g.knocks {
					if !yield(k) {
						return
					}
				}
				sent.packets += len(g.knocks)
				sent.sequences += g.sequences
			}
		}, rate)
		done <- err
	}()
	do()
	stop.Store(true)
	if err := <-done; err != nil {
		l.Fatal(err)
	}
	return sent
}

// sequences returns groups in which a hundred sources knock a door's sequence,
// all of them the first knock, then all of them the next.
func sequences(d liveDoor) iter.Seq[group] {
	return func(yield func(group) bool) {
		for n := 0; yield(people(d, n*100%(livetest.MaxSource4-100), 100)); n++ {
		}
	}
}

// people returns a group in which so many sources knock a door's sequence.
func people(d liveDoor, first, count int) group {
	g := group{sequences: count}
	source := func(n int) netip.Addr { return livetest.Source4(first + n) }
	g.knocks = slices.Collect(livetest.Flood(count*len(d.knocks), source, count, d.knocks...))
	return g
}

// mixture returns groups of ten people, and of a hundred strangers with a first
// knock each, half of whom then knock wrongly.
func mixture(d liveDoor) iter.Seq[group] {
	return func(yield func(group) bool) {
		for n := 0; ; n++ {
			g := people(d, n*10%(livetest.MaxSource4-10), 10)
			stranger := func(i int) netip.Addr { return livetest.Source6(n*100 + i) }
			g.knocks = slices.AppendSeq(g.knocks, livetest.Flood(150, stranger, 100, d.knocks[0], d.knocks[2]))
			if !yield(g) {
				return
			}
		}
	}
}
