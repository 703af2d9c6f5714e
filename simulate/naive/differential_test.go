package naive_test

import (
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"sesame/daemon/engine"
	"sesame/daemon/packet"
	"sesame/daemon/transcript"
	"sesame/simulate"
)

var (
	runs = flag.Int("runs", 20_000, "how many random captures TestReplaysAgreeWithANaiveMatcher compares")
	seed = flag.Uint64("seed", 1, "of the first of them")
)

// A collector is a transcript that keeps what is compared.
type collector struct {
	result result
}

func (c *collector) Begin(_, _ []string) {}
func (c *collector) Flush() error        { return nil }

func (c *collector) Events(events []engine.Event) {
	for _, e := range events {
		o := opening{e.Packet, e.Capture, e.Door, e.Source.Addr(), e.Stage}
		// The others are as they are.
		//exhaustive:ignore
		switch e.Kind {
		case engine.EventOpen:
			c.result.Opens = append(c.result.Opens, o)
		case engine.EventStage:
			if e.Packet > 0 {
				c.result.Stages = append(c.result.Stages, o)
			}
		}
	}
}

func (c *collector) Summary(s transcript.Summary) error {
	c.result.Knocks, c.result.Refusals = s.Knocks, s.Refusals
	c.result.Dropped = map[string]int{}
	for d := packet.NotDropped + 1; d < packet.Drops; d++ {
		if s.Dropped[d] > 0 {
			c.result.Dropped[d.String()] = s.Dropped[d]
		}
	}
	return nil
}

func TestReplaysAgreeWithANaiveMatcher(t *testing.T) {
	const parts = 8
	defer debug.SetGCPercent(debug.SetGCPercent(400)) // each capture gets large buffers
	var opens, drops atomic.Int64
	t.Run("random captures", func(t *testing.T) {
		for part := range parts {
			t.Run(fmt.Sprint(part), func(t *testing.T) {
				t.Parallel()
				dir := t.TempDir()
				for i := part; i < *runs; i += parts {
					n := *seed + uint64(i)
					s := newScenario(rand.New(rand.NewPCG(n, 0)))
					want := s.expected()
					opens.Add(int64(len(want.Opens)))
					drops.Add(int64(want.Dropped["duplicate"] + want.Dropped["retransmit"]))
					if compare(want, s.replay(t, dir)) != "" {
						s.shorten(t, dir)
						t.Fatalf("seed %d: a replay differs from the naive matcher at the last packet (-naive +replay):\n%s\n%v",
							n, compare(s.expected(), s.replay(t, dir)), s)
					}
				}
			})
		}
	})
	if *runs >= 1000 && (opens.Load() < int64(*runs)/2 || drops.Load() < int64(*runs)/2) {
		t.Errorf("%d openings, %d copies and retransmits: %d captures prove little", opens.Load(), drops.Load(), *runs)
	}
}

// compare returns how two results differ. Most do not, and a full comparison is slow.
func compare(want, got result) string {
	if slices.Equal(want.Opens, got.Opens) && slices.Equal(want.Stages, got.Stages) && maps.Equal(want.Dropped, got.Dropped) &&
		want.Knocks == got.Knocks && want.Refusals == got.Refusals {
		return ""
	}
	return cmp.Diff(want, got, cmpopts.EquateComparable(netip.Addr{}), cmpopts.EquateEmpty())
}

// shorten leaves out packets of a scenario that fails, as long as it fails.
func (s *scenario) shorten(t *testing.T, dir string) {
	for i := len(s.packets) - 1; i >= 0; i-- {
		all := s.packets
		s.packets = slices.Delete(slices.Clone(all), i, i+1)
		if len(s.packets) == 0 || compare(s.expected(), s.replay(t, dir)) == "" {
			s.packets = all
		}
	}
}

// expected returns what the naive matcher finds in the packets of a scenario.
func (s *scenario) expected() result {
	m := newMatcher(s)
	captures := map[int]int{} // the number of the capture of each interface: by their first packets
	var clock recordingClock
	for i := range s.packets {
		p := &s.packets[i]
		capture, number := 0, i+1
		if s.layout == several && len(s.interfaces) > 1 {
			if captures[p.iface] == 0 {
				captures[p.iface] = len(captures) + 1
			}
			capture, number = captures[p.iface], s.numberOf(p)
		}
		at, stepped := clock.follow(p.at)
		if stepped {
			m.now = max(m.now, at)
		}
		m.take(p, at, number, capture)
	}
	return m.result
}

// numberOf returns the number of a packet in its capture.
func (s *scenario) numberOf(p *sent) (number int) {
	for i := range s.packets {
		if s.packets[i].iface == p.iface && s.packets[i].place <= p.place {
			number++
		}
	}
	return number
}

// A recordingClock is that of the machine that captured. When it was set back, time goes on from
// the packet before.
type recordingClock struct{ latest, shift int64 }

// follow returns the time of a packet that has this stamp, and whether the clock was set back.
func (c *recordingClock) follow(stamp int64) (at int64, stepped bool) {
	if stepped = stamp < c.latest-second; stepped {
		c.shift += c.latest - stamp
		c.latest = stamp
	}
	c.latest = max(c.latest, stamp)
	return stamp + c.shift, stepped
}

// replay writes the captures of a scenario, and replays them.
func (s *scenario) replay(t *testing.T, dir string) result {
	t.Helper()
	var c collector
	// An account is made of each second one: it must change nothing.
	config := simulate.Config{Set: s.set, Local: s.local, Writer: &c, Account: len(s.packets)%2 == 0}
	for i, data := range s.files() {
		path := filepath.Join(dir, fmt.Sprint(i, ".pcap"))
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		config.Captures = append(config.Captures, path)
	}
	if _, err := simulate.Run(t.Context(), config); err != nil {
		t.Fatalf("%v\n%v", err, s)
	}
	return c.result
}

// files returns the captures of a scenario.
func (s *scenario) files() (files [][]byte) {
	of := func(iface int) (all []*sent) {
		for i := range s.packets {
			if iface < 0 || s.packets[i].iface == iface {
				all = append(all, &s.packets[i])
			}
		}
		slices.SortStableFunc(all, func(a, b *sent) int { return a.place - b.place })
		return all
	}
	switch s.layout {
	case onePcap:
		return [][]byte{s.format.pcap(s.interfaces[0], of(-1))}
	case onePcapng:
		return [][]byte{s.format.pcapng(s.interfaces, of(-1))}
	case several:
		for i, l := range s.interfaces {
			files = append(files, s.format.pcap(l, of(i)))
		}
	}
	return files
}
