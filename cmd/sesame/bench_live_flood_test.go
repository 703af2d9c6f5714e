//go:build linux

package main

import (
	"net/netip"
	"time"

	"sesame/daemon/livetest"
)

// spoofed is how many first knocks are in a flood.
const spoofed = 1_000_000

// measureFlood sends first knocks as fast as one processor can, each of another
// source, and amid them the four knocks of somebody honest. It does so as many
// times as it is told, with other sources each time.
func measureFlood(l *liveBench, s *subject, floods int) {
	p := l.newProber()
	p.mustOpen(s)
	var opened, rates float64
	var peaks, rests []float64
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
	}
	l.Logf("memory at the peak of each flood %.0f MiB, after it %.0f MiB", peaks, rests)
	l.ReportMetric(opened/float64(floods), "opened")
	l.ReportMetric(rates/float64(floods), "packets/s")
	l.ReportMetric(peaks[floods-1], "peak-MiB")
	l.ReportMetric(rests[floods-1]-rests[0], "growth-MiB")
	if s.client != nil {
		l.ReportMetric(float64(s.status().Capture.Lost), "lost")
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

// measureMixed lets everything happen for half a minute: strangers who knock
// once, people who knock and get in, scripts that change, somebody who asks. What
// was in memory after a third of the time, when everything had happened for long
// enough, is compared with what is there at the end.
func measureMixed(l *liveBench) {
	const length, rate = 30 * time.Second, 12_000
	door := liveDoor{"ssh", threeKnocks.knocks, "tcp/22", 3 * time.Second, 2 * time.Second}
	s := l.startSesame(l.TempDir(), door)
	l.newProber().mustOpen(s)
	var third, end float64
	began := time.Now()
	sent := l.during(mixture(door), rate, func() {
		for n := 0; time.Since(began) < length; n++ {
			s.exchange(n)
			<-time.After(500 * time.Millisecond)
			if third == 0 && time.Since(began) > length/3 {
				third = s.memory("VmRSS")
			}
		}
		end = s.memory("VmRSS")
	})
	s.taken(sent.packets)
	status := s.status()
	l.Logf("%d packets, %d of them lost, %d opens, %d attempts", sent.packets, status.Capture.Lost, status.Counts.Opens, status.Live.Attempts)
	l.ReportMetric(third, "third-MiB")
	l.ReportMetric(end, "end-MiB")
	l.ReportMetric(end-third, "growth-MiB")
}
