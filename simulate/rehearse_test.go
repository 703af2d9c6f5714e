package simulate

import (
	"bytes"
	"io"
	"net/netip"
	"testing"
	"time"

	"sesame/daemon/engine"
	"sesame/daemon/packet"
	"sesame/daemon/record"
	"sesame/simulate/account"
	"sesame/simulate/pcaptest"
)

// rehearse returns a rehearsal of the packets of one source at the first of some doors.
func rehearse(t testing.TB, lines string, doors ...*engine.Door) *rehearsal {
	t.Helper()
	data, err := pcaptest.Capture(lines)
	if err != nil {
		t.Fatal(err)
	}
	reader, err := record.NewReader(bytes.NewReader(data), -1, "test")
	if err != nil {
		t.Fatal(err)
	}
	r := &rehearsal{
		rehearsals: &rehearsals{set: set(doors...), facts: newOfflineFacts(nil), left: leastRehearsed, stopped: t.Context().Err},
		source:     netip.MustParseAddr("203.0.113.9"), door: doors[0], missed: &account.Account{},
	}
	kept := newKeeper(r.set)
	decoder := packet.NewDecoder()
	for {
		f, err := reader.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		var p packet.Packet
		drop := decoder.Decode(f.Link, f.Data, f.Wire, &p)
		p.Time, p.Number = f.Time(), f.Number
		kept.keep(&p, drop)
	}
	r.packets = kept.sources[r.source]
	return r
}

const inTwelveSeconds = `
	0s   203.0.113.9 tcp/1
	3s   203.0.113.9 tcp/2
	9.05s 203.0.113.9 tcp/3`

func TestRehearsals(t *testing.T) {
	with := func(change func(*engine.Door)) *engine.Door {
		d := door("ssh", 1, 2, 3)
		change(d)
		return d
	}
	for _, tt := range []struct {
		name, lines string
		door        *engine.Door
		ended       int // the packet that ended the attempt
		want        string
	}{
		{"it opens anyway", "0s 203.0.113.9 tcp/1\n1s 203.0.113.9 tcp/2\n2s 203.0.113.9 tcp/3", door("ssh", 1, 2, 3), 0, ""},
		{"nothing came", "0s 203.0.113.9 tcp/9", door("ssh", 1, 2, 3), 0, ""},
		{"too slow", inTwelveSeconds, door("ssh", 1, 2, 3), 0, "within >= 9.1s: opens"},
		{"exactly at the limit", "0s 203.0.113.9 tcp/1\n3s 203.0.113.9 tcp/2\n8s 203.0.113.9 tcp/3", door("ssh", 1, 2, 3), 0, "within >= 8.1s: opens"},
		{"a second try is quicker than the first", inTwelveSeconds + "\n20s 203.0.113.9 tcp/1\n21s 203.0.113.9 tcp/2\n28.4s 203.0.113.9 tcp/3", door("ssh", 1, 2, 3), 0, "within >= 8.5s: opens"},
		{"a step too slow", "0s 203.0.113.9 tcp/1\n1s 203.0.113.9 tcp/2\n3.5s 203.0.113.9 tcp/3", with(func(d *engine.Door) { d.StepTimeout = 2 * time.Second }), 0, "step_timeout >= 2.6s: opens"},
		{"both too slow", inTwelveSeconds, with(func(d *engine.Door) { d.StepTimeout = 2 * time.Second }), 0, "step_timeout >= 6.1s and within >= 9.1s: opens"},
		{"an earlier knock again", "0s 203.0.113.9 tcp/1\n1s 203.0.113.9 tcp/2\n2s 203.0.113.9 tcp/1\n3s 203.0.113.9 tcp/3", door("ssh", 1, 2, 3), 3, `on_wrong = "ignore": opens`},
		{"the latest knock again", "0s 203.0.113.9 tcp/1\n1s 203.0.113.9 tcp/2\n2s 203.0.113.9 tcp/2\n3s 203.0.113.9 tcp/3", with(func(d *engine.Door) { d.Duplicates = engine.DuplicatesWrong }), 3, `duplicates = "ignore": opens`},
		{"a port twice in the sequence", "0s 203.0.113.9 tcp/1\n1s 203.0.113.9 tcp/1\n2s 203.0.113.9 tcp/2", with(func(d *engine.Door) { d.Sequence = door("", 1, 1, 2).Sequence; d.Strict = true }), 0, ""},
		{"another port, to a strict door", "0s 203.0.113.9 tcp/1\n1s 203.0.113.9 tcp/2\n2s 203.0.113.9 tcp/80\n3s 203.0.113.9 tcp/3", with(func(d *engine.Door) { d.Strict = true }), 3, `on_wrong = "ignore": opens`},
		{"nothing helps", "0s 203.0.113.9 tcp/3\n1s 203.0.113.9 tcp/2\n2s 203.0.113.9 tcp/1", door("ssh", 1, 2, 3), 0, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := rehearse(t, tt.lines, tt.door)
			r.missed.Packet = tt.ended
			if got := r.suggest(); got != tt.want {
				t.Errorf("suggested %q, expected %q", got, tt.want)
			}
		})
	}
}

// A packet to a tripwire ended the attempt: without it the door opens.
func TestRehearsalWithoutAPacket(t *testing.T) {
	d := door("ssh", 7000, 8000, 9000)
	d.Tripwires = 64
	d.OnWrong = engine.WrongIgnored
	wire := set(d).Tripwires()[0].Port
	r := rehearse(t, "0s 203.0.113.9 tcp/7000\n1s 203.0.113.9 "+wire.String()+"\n2s 203.0.113.9 tcp/8000\n3s 203.0.113.9 tcp/9000", d)
	r.missed.Packet = 2
	if got, want := r.suggest(), "without "+wire.String()+" (packet 2): opens"; got != want {
		t.Errorf("suggested %q, expected %q", got, want)
	}
}

// What all rehearsals together replay is bounded.
func TestRehearsalsAreBounded(t *testing.T) {
	r := rehearse(t, inTwelveSeconds, door("ssh", 1, 2, 3))
	r.left = 3*startCost + 8
	if got := r.suggest(); got != "" {
		t.Errorf("suggested %q without a budget for it", got)
	}
	if r.left > 0 {
		t.Errorf("%d packets of the budget are left", r.left)
	}
}

// A keeper forgets a source that sent too much, and keeps what resembles a knock.
func TestAKeeperIsBounded(t *testing.T) {
	d := door("ssh", 7421, 2904)
	k := newKeeper(set(d))
	send := func(source string, port packet.Port) {
		k.keep(&packet.Packet{Source: netip.MustParseAddr(source), Port: port}, packet.NotDropped)
	}
	tcp := func(n uint16) packet.Port { return packet.Port{Proto: packet.TCP, Number: n} }
	for _, port := range []packet.Port{tcp(7421), {Proto: packet.UDP, Number: 7421}, tcp(2094), tcp(294), tcp(29045), tcp(7721)} {
		send("203.0.113.9", port)
	}
	for _, port := range []packet.Port{tcp(443), tcp(7500), {Proto: packet.ICMP}} {
		send("203.0.113.9", port)
	}
	if n := len(k.sources[netip.MustParseAddr("203.0.113.9")]); n != 6 {
		t.Errorf("%d packets are kept, expected 6", n)
	}
	for range mostOfSource + 1 {
		send("203.0.113.10", tcp(7421))
	}
	if n := len(k.sources); n != 1 || k.count != 6 {
		t.Errorf("packets of %d sources are kept, %d in all, expected those of one, 6", n, k.count)
	}
}
