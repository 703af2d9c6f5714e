package engine

import (
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"sesame/daemon/packet"
)

// word is the test of a payload of 20 bytes that begins with SESA.
var word = &PayloadTest{Min: 20, Max: 20, Bytes: []PayloadBytes{{0, "SESA"}}}

// datagram sends a packet with a payload.
func (w *world) datagram(source, port, payload string) {
	p := w.packet(source, port)
	p.Payload = []byte(payload)
	w.record(w.e.Packet(&p))
}

func TestPayloadTests(t *testing.T) {
	version := &PayloadTest{Max: AnyLength, Bytes: []PayloadBytes{{4, "v1"}, {7, "\x00\xff"}}}
	for _, c := range []struct {
		name    string
		test    *PayloadTest
		payload string
		cut     bool
		want    string // "": it passes
	}{
		{"no test", nil, "", false, ""},
		{"right", word, "SESAmaple-otter-3168", false, ""},
		{"one byte short", word, "SESAmaple-otter-316", false, "length 19, expected 20"},
		{"one byte long", word, "SESAmaple-otter-31680", false, "length 21, expected 20"},
		{"empty", word, "", false, "length 0, expected 20"},
		{"another prefix", word, "SESBmaple-otter-3168", false, `it begins with "SESB", expected "SESA"`},
		{"bytes of no text", word, "\x00\xff\"\nmaple-otter-3168", false, `it begins with "\x00\xff\"\n", expected "SESA"`},
		{"a range, its ends", &PayloadTest{Min: 2, Max: 3}, "ab", false, ""},
		{"a range, its other end", &PayloadTest{Min: 2, Max: 3}, "abc", false, ""},
		{"below a range", &PayloadTest{Min: 2, Max: 3}, "a", false, "length 1, expected 2 to 3"},
		{"above a range", &PayloadTest{Min: 2, Max: 3}, "abcd", false, "length 4, expected 2 to 3"},
		{"below an open range", &PayloadTest{Min: 2, Max: AnyLength}, "a", false, "length 1, expected 2 or more"},
		{"nothing but an empty payload", &PayloadTest{}, "", false, ""},
		{"positions", version, "0123v16\x00\xff", false, ""},
		{"positions, and more behind", version, "0123v16\x00\xff0", false, ""},
		{"one position is wrong", version, "0123v26\x00\xff", false, `it has "v2" at byte 5, expected "v1"`},
		{"the other position is wrong", version, "0123v16\x00\xfe", false, `it has "\x00\xfe" at byte 8, expected "\x00\xff"`},
		{"it ends within a position", version, "0123v16\x00", false, `it has "\x00" at byte 8, expected "\x00\xff"`},
		{"it ends before a position", version, "0123", false, `it has nothing at byte 5, expected "v1"`},
		{"only the begin of what came is shown", &PayloadTest{Max: AnyLength, Bytes: []PayloadBytes{{0, strings.Repeat("x", 20)}}},
			strings.Repeat("y", 20), false, `it begins with "yyyyyyyyyyyyyyyy"..., expected "xxxxxxxxxxxxxxxxxxxx"`},

		{"cut, so it is longer", word, "SESAmaple-otter-3168", true, "length above 20, expected 20"},
		{"cut before its end", word, "SESAmaple", true, "only the first 9 bytes were captured, which do not tell"},
		{"cut within the prefix", word, "SE", true, "only the first 2 bytes were captured, which do not tell"},
		{"cut, and wrong before that", word, "SEX", true, `it begins with "SEX", expected "SESA"`},
		{"cut, and too long already", &PayloadTest{Max: 3}, "abcd", true, "length above 4, expected 0 to 3"},
		{"cut, and longer than what may be", &PayloadTest{Min: 4, Max: 4}, "abcd", true, "length above 4, expected 4"},
		{"cut, perhaps too long", &PayloadTest{Max: 5}, "abcd", true, "only the first 4 bytes were captured, which do not tell"},
		{"cut, and as long as it must be", &PayloadTest{Min: 3, Max: AnyLength}, "ab", true, ""},
		{"cut, and a prefix alone", &PayloadTest{Max: AnyLength, Bytes: word.Bytes}, "SESA", true, ""},
		{"cut, and long enough", &PayloadTest{Min: 2, Max: AnyLength}, "ab", true, ""},
		{"cut, perhaps long enough", &PayloadTest{Min: 4, Max: AnyLength}, "ab", true, "only the first 2 bytes were captured, which do not tell"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := &packet.Packet{Payload: []byte(c.payload), Cut: c.cut}
			if got := c.test.Misfit(p); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

// A cut payload passes only when each payload passes that begins like it, at least as long.
func TestACutPayloadNeverPassesByGuess(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	text := func(n int) string {
		b := make([]byte, n)
		for i := range b {
			b[i] = "ab"[r.IntN(2)]
		}
		return string(b)
	}
	passed := 0
	for range 20_000 {
		test := &PayloadTest{Min: r.IntN(4), Max: AnyLength}
		if r.IntN(2) == 0 {
			test.Max = test.Min + r.IntN(3)
		}
		for range r.IntN(3) {
			test.Bytes = append(test.Bytes, PayloadBytes{r.IntN(3), text(1 + r.IntN(2))})
		}
		whole := text(r.IntN(7))
		kept := r.IntN(len(whole) + 1)
		cut, _ := test.check(&packet.Packet{Payload: []byte(whole[:kept]), Cut: true})
		full, _ := test.check(&packet.Packet{Payload: []byte(whole)})
		if kept < len(whole) && cut && !full {
			t.Fatalf("%+v passes %q cut after %d, and not the whole", test, whole, kept)
		}
		if cut {
			passed++
		}
	}
	if passed < 1000 {
		t.Errorf("only %d passed: this tests nothing", passed)
	}
}

func TestJunkIsNoKnock(t *testing.T) {
	calls := 0
	d := scripted(guarding(t, aDoor(t, "beacon", "udp/62201"), "tcp/22"), HookKnock, func(*Call) (Decision, error) {
		calls++
		return Decision{Operations: []Operation{Allow{}}}, nil
	})
	d.Listen, d.Payload, d.Limit = true, word, &Limit{Count: 1, Per: time.Hour, Text: "1/h"}
	w := newWorld(t, d)
	w.datagram(bob, "udp/62201", "junk")
	w.advance(time.Second)
	w.datagram(bob, "udp/62201", "SESAmaple-otter-316")
	w.want()
	if c := w.e.Counts(); calls != 0 || c.Packets != 2 || c.Knocks != 0 || c.Refusals != 0 || c.Dropped[packet.OtherPayload] != 2 {
		t.Errorf("%d calls, counts %+v", calls, c)
	}
	want := []Misfits{{"beacon", 2, monday.Add(time.Second), netip.MustParseAddr(bob), "length 19, expected 20"}}
	if diff := gocmp.Diff(want, w.e.Misfits(), gocmp.Comparer(func(a, b netip.Addr) bool { return a == b })); diff != "" {
		t.Errorf("misfits (-want +got):\n%s", diff)
	}

	t.Log("# the limit still has its one")
	w.datagram(alice, "udp/62201", "SESAmaple-otter-3168")
	w.want("1s open beacon 203.0.113.9", "1s effect beacon 203.0.113.9 allow #1 tcp/22 30s")
	if c := w.e.Counts(); c.Knocks != 1 {
		t.Errorf("%d knocks, want 1", c.Knocks)
	}
}

// Each door tests for itself. A packet that is a knock of one of them is no junk.
func TestDoorsWithOnePortTestEachForItself(t *testing.T) {
	a, b, long := aDoor(t, "a", "udp/1"), aDoor(t, "b", "udp/1"), aDoor(t, "long", "udp/9", "udp/1")
	a.Payload = &PayloadTest{Max: AnyLength, Bytes: []PayloadBytes{{0, "a"}}}
	b.Payload = &PayloadTest{Max: AnyLength, Bytes: []PayloadBytes{{0, "b"}}}
	w := newWorld(t, a, b)
	w.datagram(alice, "udp/1", "a")
	w.datagram(alice, "udp/1", "b")
	w.datagram(alice, "udp/1", "c")
	w.want("0s stage a 203.0.113.9 1/1", "0s open a 203.0.113.9", "0s stage b 203.0.113.9 1/1", "0s open b 203.0.113.9")
	if c := w.e.Counts(); c.Knocks != 2 || c.Dropped[packet.OtherPayload] != 1 {
		t.Errorf("counts %+v", c)
	}

	t.Log("# a later knock of another door at the same port")
	w = newWorld(t, a, long)
	w.datagram(alice, "udp/9", "")
	w.datagram(alice, "udp/1", "c")
	w.want("0s stage long 203.0.113.9 1/2", "0s stage long 203.0.113.9 2/2", "0s open long 203.0.113.9")
	if c := w.e.Counts(); c.Knocks != 2 || c.Dropped[packet.OtherPayload] != 0 {
		t.Errorf("counts %+v", c)
	}
}

func TestAReloadTestsByTheNewDoor(t *testing.T) {
	door := func(prefix string) *Door {
		d := aDoor(t, "a", "udp/1")
		d.Payload = &PayloadTest{Max: AnyLength, Bytes: []PayloadBytes{{0, prefix}}}
		return d
	}
	w := newWorld(t, door("old"))
	w.datagram(alice, "udp/1", "new")
	w.want()
	w.record(w.e.Swap(w.now, &Set{Doors: []*Door{door("old")}}))
	if m := w.e.Misfits(); len(m) != 1 || m[0].Count != 1 {
		t.Errorf("after a reload that changes nothing: %+v", m)
	}
	w.record(w.e.Swap(w.now, &Set{Doors: []*Door{door("new")}}))
	w.datagram(alice, "udp/1", "old")
	w.datagram(alice, "udp/1", "new")
	w.want("0s stage a 203.0.113.9 1/1", "0s open a 203.0.113.9")
	if m := w.e.Misfits(); len(m) != 1 || m[0].Count != 1 || m[0].Detail != `it begins with "old", expected "new"` {
		t.Errorf("after a reload of the test: %+v", m)
	}
	w.record(w.e.Swap(w.now, &Set{Doors: []*Door{aDoor(t, "a", "udp/1")}}))
	w.datagram(alice, "udp/1", "anything")
	w.want("0s stage a 203.0.113.9 1/1", "0s open a 203.0.113.9")
	if m := w.e.Misfits(); len(m) != 0 {
		t.Errorf("without a test: %+v", m)
	}
}

// A segment with a payload can be a knock too. One without the flags of a knock is no junk.
func TestTheFlagsAreTestedFirst(t *testing.T) {
	d := aDoor(t, "a", "tcp/1")
	d.Payload = word
	w := newWorld(t, d)
	p := w.packet(alice, "tcp/1")
	p.Payload, p.Flags = []byte("SESAmaple-otter-3168"), packet.ACK
	w.record(w.e.Packet(&p))
	w.want()
	if c := w.e.Counts(); c.Dropped[packet.NotWatched] != 1 || len(w.e.Misfits()) != 0 {
		t.Errorf("counts %+v", c)
	}
	p.Flags, p.SourcePort = packet.SYN, 9
	w.record(w.e.Packet(&p))
	w.want("0s stage a 203.0.113.9 1/1", "0s open a 203.0.113.9")
}
