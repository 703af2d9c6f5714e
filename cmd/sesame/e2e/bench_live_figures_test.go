//go:build linux

package e2e

import (
	"strings"
	"time"

	"sesame/daemon/livetest"
)

// measureIdle measures what of a program is in memory when nobody knocks.
func measureIdle(l *liveBench, s *subject) {
	s.rest()
	l.ReportMetric(s.memory("VmRSS"), "MiB")
	l.ReportMetric(s.memory("RssAnon"), "own-MiB") // the rest is the program's file, which the kernel may drop
	l.ReportMetric(s.memory("VmHWM"), "peak-MiB")
}

// measureOpening measures how long it takes from the last knock until a
// connection is accepted, of one source after another.
func measureOpening(l *liveBench, s *subject) {
	const rounds = 200
	p := l.newProber()
	p.mustOpen(s)
	var all []time.Duration
	for i := range rounds {
		// knockd is given its packets every 50 ms: people come at any time between.
		<-time.After(time.Duration(10+17*i%50) * time.Millisecond)
		p.knock(s.doors[0], livetest.Source4(i))
		took, open := p.opens(livetest.Source4(i), 5*time.Second)
		if !open {
			l.Fatalf("round %d: it does not open", i)
		}
		all = append(all, took)
	}
	l.ReportMetric(microseconds(percentile(all, 10)), "p10-µs") // nearer to a machine that has nothing else to do
	l.ReportMetric(microseconds(percentile(all, 50)), "median-µs")
	l.ReportMetric(microseconds(percentile(all, 99)), "p99-µs")
}

// measureSources sends the first and second knocks of many sources, none of
// which continues to the third.
func measureSources(l *liveBench, s *subject) {
	const count, sources, rate = 50_000, 20_000, 5_000
	before, processor := s.memory("VmRSS"), s.processor()
	sent, took, err := l.net.Client.Send(l.Context(), livetest.Flood(count, livetest.Source4, sources, s.doors[0].knocks[:2]...), rate)
	if err != nil {
		l.Fatal(err)
	}
	var lost float64
	if s.client != nil {
		lost = max(0, 1-float64(s.taken(sent))/float64(sent)) // an interface that came up says so in packets of its own
	} else {
		s.settle()
		lost = knockdLost(s.read(s.log), sources)
	}
	l.ReportMetric((s.processor() - processor).Seconds(), "processor-s")
	l.ReportMetric(100*lost, "lost-%")
	l.ReportMetric(before, "before-MiB")
	l.ReportMetric(s.memory("VmRSS"), "after-MiB")
	l.ReportMetric(float64(sent)/took.Seconds(), "packets/s")
}

// knockdLost returns which part of the packets knockd did not see, of so many
// first knocks and then as many second ones. It logs each that it sees, if it saw
// those of the source before. Later first knocks may show too: what comes after
// the last second one does not count.
func knockdLost(log string, sources int) float64 {
	const stage1, stage2 = ": Stage 1\n", ": Stage 2\n"
	log = log[:strings.LastIndex(log, stage2)+len(stage2)]
	first, second := strings.Count(log, stage1), strings.Count(log, stage2)
	return 1 - float64(first+second)/float64(sources+first)
}

// measureDoors asks whether a program with many doors starts and opens one, and
// what packets cost it that no door is waiting for: the kernel ought to keep them
// from it.
func measureDoors(l *liveBench, s *subject) {
	const count, rate = 100_000, 20_000
	if !s.running() {
		l.Fatalf("it does not start:\n%s%s", s.output(), s.read(s.log))
	}
	l.newProber().mustOpen(s)
	processor, packets := s.processor(), s.packets()
	if _, _, err := l.net.Client.Send(l.Context(), livetest.Flood(count, livetest.Source4, 1000, "tcp/443"), rate); err != nil {
		l.Fatal(err)
	}
	<-time.After(time.Second)
	l.ReportMetric((s.processor() - processor).Seconds(), "processor-s")
	if s.client != nil {
		l.ReportMetric(float64(s.packets()-packets), "unasked-packets")
	}
	if text := strings.TrimSpace(s.output()); s.client == nil && text != "" {
		l.Logf("it wrote: %s", text)
	}
}
