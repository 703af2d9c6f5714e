package simulate

import (
	"bytes"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"sesame/daemon/engine"
	"sesame/daemon/filter"
	"sesame/daemon/packet"
	"sesame/daemon/record"
	"sesame/daemon/transcript"
	"sesame/simulate/account"
	"sesame/simulate/pcaptest"
)

// A told is a session with what it said.
type told struct {
	*Session
	text bytes.Buffer
}

func spoken(c SessionConfig) *told {
	s := &told{}
	lines := transcript.NewJSON(&s.text)
	c.Events = lines.Events
	s.Session = NewSession(c)
	return s
}

// end ends the session and returns all that it said, with its totals.
func (s *told) end(t *rapid.T, dropped [packet.Drops]int) string {
	s.End(time.Hour)
	sum := s.Summary()
	for d := range dropped {
		sum.Dropped[d] += dropped[d]
	}
	return fmt.Sprintf("%s\n%+v\n%v", s.text.String(), sum, s.Now())
}

// TestPacketsAreAsFrames gives random packets to a session as frames, and to another as what the
// filter and the decoder make of them, with the others in bulk. Both say the same.
func TestPacketsAreAsFrames(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var lines strings.Builder
		at := 0
		for range rapid.IntRange(1, 80).Draw(t, "packets") {
			at += rapid.SampledFrom([]int{0, 1, 300, 999, 1000, 1001, 7000}).Draw(t, "gap")
			fmt.Fprintf(&lines, "%dms 203.0.113.%d %s/%d seq=%d to=192.0.2.%d\n", at, rapid.IntRange(1, 2).Draw(t, "source"),
				rapid.SampledFrom([]string{"tcp", "udp"}).Draw(t, "protocol"), rapid.IntRange(1, 9).Draw(t, "port"),
				rapid.IntRange(0, 40).Draw(t, "sequence"), rapid.IntRange(1, 2).Draw(t, "to"))
		}
		data, err := pcaptest.Capture(lines.String())
		if err != nil {
			t.Fatal(err)
		}
		set := set(doors()...)
		if rapid.Bool().Draw(t, "without strict doors") {
			set.Doors = slices.DeleteFunc(set.Doors, func(d *engine.Door) bool { return d.Strict })
		}
		local := rapid.SampledFrom([][]netip.Prefix{nil, {netip.MustParsePrefix("192.0.2.1/32")}}).Draw(t, "local")
		c := SessionConfig{Set: set.Placed(), Begin: time.Unix(0, 0), Local: local}
		if rapid.Bool().Draw(t, "asked before each") {
			c.Before = func(_, _ int) error { return nil }
		}
		whole, parts := spoken(c), spoken(c)
		dropped := give(t, data, whole, parts, filter.New(filter.Interest(set.Interest())))
		if want, got := whole.end(t, [packet.Drops]int{}), parts.end(t, dropped); got != want {
			t.Fatalf("as packets:\n%s\nas frames:\n%s", got, want)
		}
	})
}

// give gives the frames of a capture to whole, and to parts what is made of them. It returns what
// the decoder dropped.
func give(t *rapid.T, data []byte, whole, parts *told, watched *filter.Filter) (dropped [packet.Drops]int) {
	reader, err := record.NewReader(bytes.NewReader(data), int64(len(data)), "test")
	if err != nil {
		t.Fatal(err)
	}
	decoder, p, unwatched, last := packet.NewDecoder(), packet.Packet{}, 0, time.Time{}
	for f, err := reader.Next(); err != io.EOF; f, err = reader.Next() {
		if err != nil {
			t.Fatal(err)
		}
		if err := whole.Frame(f.Time(), f.Number, f.Link, f.Data); err != nil {
			t.Fatal(err)
		}
		if !watched.Match(f.Link, f.Data) {
			unwatched, last = unwatched+1, f.Time()
			continue
		}
		if err := parts.Unwatched(unwatched, last); err != nil {
			t.Fatal(err)
		}
		unwatched = 0
		drop := decoder.Decode(f.Link, f.Data, f.Wire, &p)
		p.Time, p.Number = f.Time(), f.Number
		if drop != packet.NotDropped {
			dropped[drop]++
		} else if err := parts.Packet(&p); err != nil {
			t.Fatal(err)
		}
	}
	if err := parts.Unwatched(unwatched, last); err != nil {
		t.Fatal(err)
	}
	return dropped
}

// BenchmarkNewSession makes a session for decoded packets, and its set beforehand.
func BenchmarkNewSession(b *testing.B) {
	for _, explain := range []bool{false, true} {
		b.Run(fmt.Sprintf("explain=%t", explain), func(b *testing.B) {
			b.ReportAllocs()
			d := door("four", 7421, 9133, 2904, 6117)
			d.Tripwires = 64
			c := SessionConfig{Set: set(d).Placed(), Begin: time.Unix(0, 0), Events: func([]engine.Event) {}, Explain: explain}
			for b.Loop() {
				NewSession(c)
			}
		})
	}
}

// TestAnAccountAlone has a knock of two addresses. Alone, each account has its own half.
func TestAnAccountAlone(t *testing.T) {
	for _, alone := range []bool{false, true} {
		c := SessionConfig{Set: set(door("ssh", 7000, 8000)), Begin: time.Unix(0, 0), Events: func([]engine.Event) {}, Explain: true, Alone: alone}
		s := NewSession(c)
		for i, port := range []uint16{7000, 8000} {
			p := packet.Packet{
				Time: c.Begin.Add(time.Duration(i) * time.Second), Number: i + 1, Port: packet.Port{Proto: packet.TCP, Number: port}, Flags: packet.SYN,
				Source: netip.AddrFrom4([4]byte{203, 0, 113, byte(9 + i)}), Dest: netip.AddrFrom4([4]byte{192, 0, 2, 1}),
			}
			must(t, s.Packet(&p))
		}
		all := s.Accounts(t.Context().Err)
		halves := slices.ContainsFunc(all, func(a *account.Account) bool {
			return slices.ContainsFunc(a.Lines, func(line string) bool { return strings.Contains(line, "sent the other half") })
		})
		if len(all) == 0 || halves == alone {
			t.Errorf("alone=%t: %d accounts, with halves: %t", alone, len(all), halves)
		}
	}
}
