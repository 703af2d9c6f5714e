//go:build linux

package e2e

import (
	"iter"
	"time"

	"sesame/daemon/livetest"
	"sesame/daemon/packet"
	"sesame/scripting"
	"sesame/scripting/source"
)

// spoofed is how many packets are in a flood, each of another source.
const spoofed = 1_000_000

// measureFlood sends packets to the ports by turns, as fast as one processor can, each of another
// source, and amid them the four knocks of somebody honest. It does so as many
// times as the caller wants, with other sources each time.
func measureFlood(l *liveBench, s *subject, floods int, ports []packet.Port) {
	p := l.newProber()
	p.mustOpen(s)
	var opened, rates float64
	var peaks, rests, lost []float64
	for i := range floods {
		s.forgetPeak()
		rate := make(chan float64, 1) // packets a second
		go func() { rate <- l.flood(ports, i*spoofed) }()
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

// flood sends one packet of each of so many sources, and returns how many a second.
func (l *liveBench) flood(ports []packet.Port, first int) float64 {
	sent, took, err := l.net.Client.Send(l.Context(), byTurns(ports, first), 0)
	if err != nil {
		l.Error(err)
	}
	return float64(sent) / took.Seconds()
}

// byTurns returns a knock of each of so many sources at one of the ports.
func byTurns(ports []packet.Port, first int) iter.Seq[livetest.Knock] {
	return func(yield func(livetest.Knock) bool) {
		for n := range spoofed {
			port := ports[n%len(ports)]
			if !yield(livetest.Knock{Source: livetest.Source6(first + n), UDP: port.Proto == packet.UDP, Port: port.Number}) {
				return
			}
		}
	}
}

// firstKnock returns the port of the first knock at the first door.
func (s *subject) firstKnock() []packet.Port {
	s.l.Helper()
	port, err := packet.ParsePort(s.doors[0].knocks[0])
	if err != nil {
		s.l.Fatal(err)
	}
	return []packet.Port{port}
}

// tripwires returns the ports of the tripwires of all doors. They pass the kernel's filter, as
// knocks do, so a flood of them reaches the engine.
func (s *subject) tripwires() (ports []packet.Port) {
	s.l.Helper()
	files, err := source.Read(s.scripts)
	if err != nil {
		s.l.Fatal(err)
	}
	set, err := scripting.Load(files, scripting.Options{})
	if err != nil {
		s.l.Fatal(err)
	}
	for _, knock := range set.Engine.Tripwires() {
		ports = append(ports, knock.Port)
	}
	return ports
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
