//go:build linux

package e2e

import (
	"net/netip"
	"time"

	"sesame/daemon/livetest"
)

// spoofed is how many first knocks are in a flood.
const spoofed = 1_000_000

// measureFlood sends first knocks as fast as one processor can, each of another
// source, and amid them the four knocks of somebody honest. It does so as many
// times as the caller wants, with other sources each time.
func measureFlood(l *liveBench, s *subject, floods int) {
	p := l.newProber()
	p.mustOpen(s)
	var opened, rates float64
	var peaks, rests, lost []float64
	for i := range floods {
		s.forgetPeak()
		rate := make(chan float64, 1) // packets a second
		go func() { rate <- l.flood(s.doors[0].knocks[0], i*spoofed) }()
		<-time.After(500 * time.Millisecond)
		honest := livetest.Source4(i)
		if _, _, err := p.sender.Send(l.Context(), livetest.Knocks(honest, s.doors[0].knocks...), 10); err != nil {
			l.Fatal(err)
		}
		if _, open := p.opens(honest, 5*time.Second); open {
			opened++
		}
		rates += <-rate
		s.rest()
		peaks, rests = append(peaks, s.memory("VmHWM")), append(rests, s.memory("VmRSS"))
		if s.client != nil {
			lost = append(lost, float64(s.status().Capture.Lost))
		}
	}
	l.Logf("after each flood: memory at its peak %.0f MiB, then %.0f MiB; lost until then %.0f", peaks, rests, lost)
	l.ReportMetric(opened/float64(floods), "opened")
	l.ReportMetric(rates/float64(floods), "packets/s")
	l.ReportMetric(peaks[floods-1], "peak-MiB")
	l.ReportMetric(rests[floods-1]-rests[0], "growth-MiB")
	if s.client != nil {
		l.ReportMetric(100*lost[floods-1]/float64(spoofed*floods), "lost-%")
	}
}

// flood sends first knocks, and returns how many a second.
func (l *liveBench) flood(port string, first int) float64 {
	source := func(n int) netip.Addr { return livetest.Source6(first + n) }
	sent, took, err := l.net.Client.Send(l.Context(), livetest.Flood(spoofed, source, spoofed, port), 0)
	if err != nil {
		l.Error(err)
	}
	return float64(sent) / took.Seconds()
}

// measureMixed lets everything happen for a minute: strangers who knock once or
// wrongly, people who knock and get in, scripts that change. What is in memory
// halfway, when all that is bounded by time has come up to its bound, is compared
// with what is there at the end.
func measureMixed(l *liveBench) {
	const half, rate = 33 * time.Second, 12_000 // the recorder keeps half a minute at least
	door := liveDoor{"ssh", threeKnocks.knocks, "tcp/22", 3 * time.Second, 2 * time.Second}
	s := l.startSesame(l.TempDir(), door)
	l.newProber().mustOpen(s)
	before, processor := s.status().Counts, s.processor()
	var memory [2]float64
	n := 0
	sent := l.during(mixture(door), rate, func() {
		for i := range memory {
			for began := time.Now(); time.Since(began) < half; n++ {
				s.exchange(n)
				<-time.After(500 * time.Millisecond)
			}
			memory[i] = s.memory("VmRSS")
		}
	})
	processor = s.processor() - processor
	s.taken(before.Packets + sent.packets)
	status := s.status()
	l.Logf("%d packets, %d reloads", sent.packets, n)
	l.ReportMetric(memory[0], "half-MiB")
	l.ReportMetric(memory[1], "end-MiB")
	l.ReportMetric(memory[1]-memory[0], "growth-MiB")
	l.ReportMetric(processor.Seconds()/(2*half.Seconds()), "processors")
	l.ReportMetric(float64(status.Capture.Lost), "lost-knocks")
	l.ReportMetric(float64(sent.sequences-(status.Counts.Opens-before.Opens)), "lost-opens")
}
