package engine

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"sesame/daemon/packet"
)

// A knockdReference is the rules of knockd as people word them, for one group of
// doors, with no thought for cost: it keeps one list of attempts and goes through
// all of it at each packet.
type knockdReference struct {
	doors    []*Door // in their order
	attempts []*knockdAttempt
	misses   int
}

type knockdAttempt struct {
	source netip.Addr
	door   *Door
	began  int64
	stage  int
}

// accepts is whether a door of the reference minds a destination.
func (r *knockdReference) accepts(d *Door, dest netip.Addr) bool {
	if d.Target.IsValid() {
		return dest == d.Target
	}
	return dest == hereV4
}

var hereV4, virtual, elsewhere = netip.MustParseAddr("198.51.100.1"), netip.MustParseAddr("192.0.2.7"), netip.MustParseAddr("192.0.2.9")

// flagged is whether the flags of p are what a door requires.
func flagged(d *Door, p *packet.Packet) bool {
	return p.Port.Proto == packet.UDP || p.Flags&d.Flags.Set == d.Flags.Set && p.Flags&d.Flags.Clear == 0
}

// counts is whether p means anything to the group.
func (r *knockdReference) counts(p *packet.Packet) bool {
	for _, d := range r.doors {
		for _, k := range d.Sequence {
			if k.Port == p.Port && r.accepts(d, p.Dest) && flagged(d, p) {
				return true
			}
		}
	}
	return false
}

// pass lets time pass, and returns the attempts that expire in the meantime.
func (r *knockdReference) pass(now int64) (outcomes []groupEnd) {
	r.attempts = slices.DeleteFunc(r.attempts, func(a *knockdAttempt) bool {
		end := a.began + int64(a.door.Within)
		if end > now {
			return false
		}
		r.misses++
		if a.stage > 1 {
			outcomes = append(outcomes, groupEnd{end, a.door, outcome{EventMiss, a.door.Name, a.source, a.stage, TotalTimeout}})
		}
		return true
	})
	return outcomes
}

// A groupEnd is a miss that a timer causes.
type groupEnd struct {
	at      int64
	door    *Door
	outcome outcome
}

// An outcome is what the reference decides: a stage, an opening, a miss.
type outcome struct {
	kind   Kind
	door   string
	source netip.Addr
	stage  int
	reason Reason
}

// knock takes a packet that counts, is no retransmit, and comes when all that
// was due has ended.
func (r *knockdReference) knock(p *packet.Packet) (outcomes []outcome) {
	found := slices.DeleteFunc(slices.Clone(r.attempts), func(a *knockdAttempt) bool {
		return a.source != p.Source || !r.accepts(a.door, p.Dest)
	})
	slices.SortFunc(found, func(a, b *knockdAttempt) int {
		return slices.Index(r.doors, a.door) - slices.Index(r.doors, b.door)
	})
	over := func(a *knockdAttempt) {
		r.attempts = slices.DeleteFunc(r.attempts, func(other *knockdAttempt) bool { return other == a })
	}
	for _, a := range found {
		switch {
		case !flagged(a.door, p):
		case a.door.Sequence[a.stage].Port == p.Port:
			a.stage++
			outcomes = append(outcomes, outcome{EventStage, a.door.Name, p.Source, a.stage, ""})
			if a.stage == len(a.door.Sequence) {
				over(a)
				outcomes = append(outcomes, outcome{EventOpen, a.door.Name, p.Source, 0, ""})
			}
		default:
			over(a)
			r.misses++
			reason := WrongPort
			if slices.ContainsFunc(a.door.Sequence, func(k Knock) bool { return k.Port == p.Port }) {
				reason = OutOfOrder
			}
			if a.stage > 1 {
				outcomes = append(outcomes, outcome{EventMiss, a.door.Name, p.Source, a.stage, reason})
			}
		}
	}
	if len(found) > 0 {
		return outcomes
	}
	for _, d := range r.doors {
		if len(d.Sequence) == 0 || d.Sequence[0].Port != p.Port || !r.accepts(d, p.Dest) || !flagged(d, p) {
			continue
		}
		outcomes = append(outcomes, outcome{EventStage, d.Name, p.Source, 1, ""})
		if len(d.Sequence) == 1 {
			outcomes = append(outcomes, outcome{EventOpen, d.Name, p.Source, 0, ""})
		} else {
			r.attempts = append(r.attempts, &knockdAttempt{source: p.Source, door: d, began: p.Time.UnixNano(), stage: 1})
		}
	}
	return outcomes
}

// aGroupHistory is doors of two groups, and packets that have a fair chance.
type aGroupHistory struct {
	doors   []*Door
	packets []packet.Packet
}

func randomGroupHistory(random *rand.Rand, alphabet []packet.Port) aGroupHistory {
	tests := []FlagTest{anySYN, SYN, {}, {Set: packet.FIN}, {Clear: packet.ACK}}
	h := aGroupHistory{}
	for i := range 1 + random.IntN(5) {
		d := &Door{Name: fmt.Sprint("d", i), Policy: PolicyKnockd, Group: "k", Within: time.Duration(random.IntN(8)) * time.Second, TTL: time.Second}
		if i > 2 {
			d.Group = "l"
		}
		d.Flags = tests[max(0, random.IntN(len(tests)+3)-3)]
		if random.IntN(4) == 0 {
			d.Target = []netip.Addr{virtual, hereV4}[random.IntN(2)]
		}
		for range max(1, random.IntN(5)) {
			d.Sequence = append(d.Sequence, Knock{alphabet[random.IntN(len(alphabet)-1)], d.Flags})
		}
		h.doors = append(h.doors, d)
	}
	now, next, of := monday, 0, h.doors[0]
	for i := range 5 + random.IntN(40) {
		now = now.Add([]time.Duration{0, 0, time.Second / 2, time.Second, 2 * time.Second}[random.IntN(5)])
		p := packet.Packet{
			Time: now, Number: i + 1, Port: alphabet[random.IntN(len(alphabet))], Flags: packet.SYN, Sequence: uint32(i), SourcePort: uint16(i),
			Source: netip.AddrFrom4([4]byte{203, 0, 113, byte(max(0, random.IntN(4)-1))}), Dest: hereV4,
		}
		if next%len(of.Sequence) == 0 {
			of = h.doors[random.IntN(len(h.doors))]
		}
		if random.IntN(4) > 0 {
			p.Port, p.Flags = of.Sequence[next%len(of.Sequence)].Port, p.Flags|of.Flags.Set
			next++
			if of.Target.IsValid() {
				p.Dest = of.Target
			}
		}
		switch random.IntN(16) {
		case 0:
			p.Flags = []packet.Flags{packet.SYN | packet.ACK, packet.ACK, packet.FIN}[random.IntN(3)]
		case 1:
			p.Dest = []netip.Addr{virtual, elsewhere}[random.IntN(2)]
		case 2:
			if i > 0 {
				was := h.packets[random.IntN(i)]
				p.Port, p.Sequence, p.SourcePort, p.Source = was.Port, was.Sequence, was.SourcePort, was.Source
				if random.IntN(8) > 0 { // else it is to another address, and so of another connection
					p.Dest = was.Dest
				}
			}
		}
		h.packets = append(h.packets, p)
	}
	return h
}

// A segment of TCP is known when it comes again within 70 s.
type segment struct {
	source   netip.Addr
	dest     netip.Addr
	port     packet.Port
	from     uint16
	sequence uint32
}

func TestAGroupMatchesTheReference(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	alphabet := ports(t, "tcp/1", "tcp/2", "udp/1", "tcp/3", "tcp/4")
	opens, parallel := 0, 0
	for n := range 30_000 {
		h := randomGroupHistory(random, alphabet)
		e := New(Config{}, monday)
		e.Local(monday, []netip.Prefix{netip.PrefixFrom(hereV4, 32)})
		e.Swap(monday, &Set{Doors: h.doors})
		groups := []*knockdReference{{doors: h.doors[:min(3, len(h.doors))]}, {doors: h.doors[min(3, len(h.doors)):]}}
		seen := map[segment]time.Time{}
		knocks := 0
		for i := range h.packets {
			p := &h.packets[i]
			want := endsOf(h.doors, groups, p.Time.UnixNano())
			counts := groups[0].counts(p) || groups[1].counts(p)
			if s := (segment{p.Source, p.Dest, p.Port, p.SourcePort, p.Sequence}); counts && p.Port.Proto == packet.TCP {
				first, known := seen[s]
				if counts = !known || p.Time.Sub(first) >= 70*time.Second; counts {
					seen[s] = p.Time
				}
			}
			for _, g := range groups {
				if counts && g.counts(p) {
					want = append(want, g.knock(p)...)
				}
				if len(g.attempts) > 1 {
					parallel++
				}
			}
			if counts {
				knocks++
			}
			got := outcomesOf(e.Packet(p))
			if !slices.Equal(got, want) {
				t.Fatalf("history %d, packet %d: got %+v, want %+v\n%s", n, i+1, got, want, describeGroup(h))
			}
			for _, outcomes := range want {
				if outcomes.kind == EventOpen {
					opens++
				}
			}
		}
		end := h.packets[len(h.packets)-1].Time
		e.End(end, end)
		misses := groups[0].misses + len(groups[0].attempts) + groups[1].misses + len(groups[1].attempts)
		if c := e.Counts(); c.Misses != misses || c.Knocks != knocks || e.attempts.used != 0 {
			t.Fatalf("history %d: %d misses and %d knocks, want %d and %d; %d attempts are left\n%s", n, c.Misses, c.Knocks, misses, knocks, e.attempts.used, describeGroup(h))
		}
	}
	if opens < 30_000 || parallel < 30_000 {
		t.Errorf("only %d openings, and several attempts at once %d times: the histories prove little", opens, parallel)
	}
}

// endsOf lets time pass in all groups, and returns what that ends in the order
// of the ends, the doors and the sources.
func endsOf(doors []*Door, groups []*knockdReference, now int64) []outcome {
	all := []groupEnd{}
	for _, g := range groups {
		all = append(all, g.pass(now)...)
	}
	slices.SortFunc(all, func(a, b groupEnd) int {
		return cmp.Or(cmp.Compare(a.at, b.at), slices.Index(doors, a.door)-slices.Index(doors, b.door), a.outcome.source.Compare(b.outcome.source))
	})
	outcomes := []outcome{}
	for _, end := range all {
		outcomes = append(outcomes, end.outcome)
	}
	return outcomes
}

func outcomesOf(events []Event) []outcome {
	outcomes := []outcome{}
	for _, e := range events {
		if e.Kind == EventStage || e.Kind == EventOpen || e.Kind == EventMiss {
			outcomes = append(outcomes, outcome{e.Kind, e.Door, e.Source.Addr(), e.Stage, e.Reason})
		}
	}
	return outcomes
}

func describeGroup(h aGroupHistory) string {
	var s strings.Builder
	for _, d := range h.doors {
		fmt.Fprintf(&s, "%s in %s: %v %v to %v within %v\n", d.Name, d.Group, d.Sequence, d.Flags, d.Target, d.Within)
	}
	for _, p := range h.packets {
		fmt.Fprintf(&s, "%3d %v %v > %v %v %08b seq %d\n", p.Number, p.Time.Sub(monday), p.Source, p.Dest, p.Port, p.Flags, p.Sequence)
	}
	return s.String()
}
