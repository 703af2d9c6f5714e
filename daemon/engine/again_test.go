package engine

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"sesame/daemon/packet"
)

// sendCopy gives the engine a packet as it came by an interface.
func (w *world) sendCopy(p packet.Packet, after time.Duration, through uint32, link uint64, id uint16) packet.Drop {
	before := w.e.Counts()
	p.Time, p.Interface, p.LinkDigest, p.ID = w.now.Add(after), through, link, id
	w.record(w.e.Packet(&p))
	for d, n := range w.e.Counts().Dropped {
		if n > before.Dropped[d] {
			return packet.Drop(d)
		}
	}
	return packet.NotDropped
}

func TestWhatIsACopy(t *testing.T) {
	const ms = time.Millisecond
	for _, tt := range []struct {
		name    string
		after   time.Duration
		through uint32
		link    uint64
		id      uint16
		loose   bool // fragments are allowed
		change  func(*packet.Packet)
		want    packet.Drop
	}{
		{name: "by another interface", through: 2, link: 7, want: packet.Duplicate},
		{name: "by another interface, 5 ms later", after: 5 * ms, through: 2, link: 7, want: packet.Duplicate},
		{name: "by another interface, later than 5 ms", after: 5*ms + 1, through: 2, link: 7},
		{name: "in another frame", through: 1, link: 8, want: packet.Duplicate},
		{name: "with an identification", through: 1, link: 7, id: 99, want: packet.Duplicate},
		{name: "without identification, in the same frame", through: 1, link: 7},
		{name: "with the identification 0, in the same frame", through: 1, link: 7, loose: true, want: packet.Duplicate},
		{name: "other bytes", through: 2, link: 7, change: func(p *packet.Packet) { p.Digest++ }},
		{name: "no digest", through: 2, link: 7, change: func(p *packet.Packet) { p.Digest = 0 }},
		{name: "another source port", through: 2, link: 7, change: func(p *packet.Packet) { p.SourcePort++ }},
		{name: "another port", through: 2, link: 7, change: func(p *packet.Packet) { p.Port.Number++ }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, aDoor(t, "d", "udp/1", "udp/2"))
			p := w.packet(alice, "udp/1")
			p.Digest, p.Flags, p.MayFragment = 77, 0, tt.loose
			if got := w.sendCopy(p, 0, 1, 7, tt.id); got != packet.NotDropped {
				t.Fatalf("the packet itself is dropped as %v", got)
			}
			if tt.change != nil {
				tt.change(&p)
			}
			if got := w.sendCopy(p, tt.after, tt.through, tt.link, tt.id); got != tt.want {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}

// A host sends the same datagram twice, and a bridge shows each of them twice: two knocks.
func TestTwoPacketsWithACopyEachAreTwoKnocks(t *testing.T) {
	d := aDoor(t, "d", "udp/1", "udp/1", "udp/2")
	d.Duplicates = DuplicatesWrong
	for _, order := range [][4]uint32{{1, 2, 1, 2}, {1, 1, 2, 2}, {1, 2, 2, 1}} {
		w := newWorld(t, d)
		p := w.packet(alice, "udp/1")
		p.Digest, p.Flags = 77, 0
		for _, through := range order {
			w.sendCopy(p, 0, through, 7, 0)
		}
		w.knock(alice, "udp/2")
		w.want("0s stage d 203.0.113.9 1/3", "0s stage d 203.0.113.9 2/3", "0s stage d 203.0.113.9 3/3", "0s open d 203.0.113.9")
		if n := w.e.Counts().Dropped[packet.Duplicate]; n != 2 {
			t.Errorf("%v: %d copies, want 2", order, n)
		}
	}
}

// A copy is named before the retransmit that it would be too, and takes no allowance of a listener.
func TestACopyOfASegmentIsNoRetransmit(t *testing.T) {
	w := newExplained(t, aDoor(t, "d", "tcp/1", "tcp/2"))
	p := w.packet(alice, "tcp/1")
	p.Digest = 77
	w.sendCopy(p, 0, 1, 7, 5)
	p.Number = 2
	if got := w.sendCopy(p, time.Millisecond, 2, 7, 5); got != packet.Duplicate {
		t.Error(got)
	}
	p.Number = 3
	if got := w.sendCopy(p, time.Second, 1, 7, 6); got != packet.Retransmit {
		t.Error(got)
	}
	w.judged("1 began at d tcp/1 0>1 awaited tcp/1 until 10s total_timeout", "2 ignored (copy) tcp/1 original 1", "3 ignored (resent) tcp/1 original 1")
}

func TestASegmentIsRemembered(t *testing.T) {
	d := aDoor(t, "d", "tcp/1", "tcp/2")
	d.Within = time.Hour
	for _, tt := range []struct {
		name   string
		after  time.Duration
		change func(*packet.Packet)
		want   packet.Drop
	}{
		{"for 70 s", 70*time.Second - 1, nil, packet.Retransmit},
		{"no longer", 70 * time.Second, nil, packet.NotDropped},
		{"with its destination", 0, func(p *packet.Packet) { p.Dest = p.Dest.Next() }, packet.NotDropped},
		{"with its sequence number", 0, func(p *packet.Packet) { p.Sequence++ }, packet.NotDropped},
		{"with its source port", 0, func(p *packet.Packet) { p.SourcePort++ }, packet.NotDropped},
		{"with its port", 0, func(p *packet.Packet) { p.Port.Number++ }, packet.NotDropped},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, d)
			p := w.packet(alice, "tcp/1")
			w.record(w.e.Packet(&p))
			// A retransmit in between does not renew the time of the first.
			p.Time = w.now.Add(tt.after / 2)
			w.record(w.e.Packet(&p))
			was := w.e.Counts().Dropped[packet.Retransmit]
			if p.Time = w.now.Add(tt.after); tt.change != nil {
				tt.change(&p)
			}
			w.record(w.e.Packet(&p))
			if got := w.e.Counts().Dropped[packet.Retransmit] - was; (got == 1) != (tt.want == packet.Retransmit) {
				t.Errorf("%d retransmits", got)
			}
		})
	}
}

// The attempt takes a segment that is used again after its time for a knock.
func TestAClientThatReusesItsSequenceNumbersKnocks(t *testing.T) {
	d := aDoor(t, "d", "tcp/1", "tcp/2", "tcp/1")
	d.Within = time.Hour
	w := newWorld(t, d)
	p := w.packet(alice, "tcp/1")
	w.record(w.e.Packet(&p))
	w.knock(alice, "tcp/2")
	w.advance(70 * time.Second)
	p.Time = w.now
	w.record(w.e.Packet(&p))
	w.want("0s stage d 203.0.113.9 1/3", "0s stage d 203.0.113.9 2/3", "1m10s stage d 203.0.113.9 3/3", "1m10s open d 203.0.113.9")
}

// An engine that an older version began decides as that version did: in a replay of its recording.
func TestAnOlderEngineKnowsNoCopies(t *testing.T) {
	set := &Set{Doors: []*Door{aDoor(t, "d", "udp/1", "tcp/2", "tcp/3")}}
	set.Doors[0].Within, set.Doors[0].OnWrong = time.Hour, WrongResets
	older := New(Config{}, monday)
	older.Swap(monday, set)
	s := older.State()
	s.Copies, s.Resends = nil, nil
	e, err := Resume(Config{}, s, set)
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, e: e, now: monday}
	p := w.packet(alice, "udp/1")
	p.Digest, p.Flags = 77, 0
	for through := range uint32(2) {
		if got := w.sendCopy(p, 0, through, 7, 0); got != packet.NotDropped {
			t.Errorf("interface %d: %v", through, got)
		}
	}
	segment := w.packet(alice, "tcp/2")
	w.record(w.e.Packet(&segment))
	w.advance(time.Minute * 5)
	segment.Time, segment.Dest = w.now, segment.Dest.Next()
	w.record(w.e.Packet(&segment))
	if n := w.e.Counts().Dropped[packet.Retransmit]; n != 1 {
		t.Errorf("%d retransmits, want 1: an older version looked at no destination and at no time", n)
	}
	if again := w.e.State(); again.Copies != nil || again.Resends != nil || len(again.Segments.Young) == 0 {
		t.Error("the state of an older engine is not one of an older engine")
	}
}

// A memory remembers what a map with times would, until it is full. It does so too when it is
// saved and restored now and then.
func TestAMemoryForgetsByTimeAndBySize(t *testing.T) {
	for _, capacity := range []int{64, 1 << 20} {
		r := rand.New(rand.NewPCG(1, uint64(capacity)))
		m, twin, naive, now, lost := newMemory[path](100, capacity), newMemory[path](100, capacity), map[uint64]int64{}, int64(1000), 0
		for i := range 20_000 {
			if now += r.Int64N(4); r.IntN(500) == 0 {
				now += r.Int64N(300)
			}
			if r.IntN(100) == 0 {
				saved := twin.state(now, pathSize, packPath)
				twin = newMemory[path](100, capacity)
				if err := twin.resume(saved, now, pathSize, unpackPath); err != nil {
					t.Fatal(err)
				}
			}
			hash := uint64(1 + 2*r.IntN(90))
			at, there := naive[hash]
			want := there && now-at < 100
			got, since := m.get(hash, now)
			if got2, since2 := twin.get(hash, now); since2 != since || (got == nil) != (got2 == nil) || got != nil && *got != *got2 {
				t.Fatalf("%d of %d: the one that was restored has %v at %d, want %v at %d", i, capacity, got2, since2, got, since)
			}
			switch {
			case got != nil && (!want || since != at || uint64(got.through) != hash || got.link != uint64(since)):
				t.Fatalf("%d of %d: there is %+v of %d, want it is %v, of %d", i, capacity, got, since, want, at)
			case got == nil && want:
				if lost++; capacity > 1000 || m.lost < at {
					t.Fatalf("%d of %d: what came at %d is not there, lost %d", i, capacity, at, m.lost)
				}
			}
			if got == nil {
				value := path{through: uint32(hash), link: uint64(now)}
				m.put(hash, now, value)
				twin.put(hash, now, value)
				naive[hash] = now
			}
			if m.lost != twin.lost || m.newer.count > capacity/2 || m.older.count > capacity/2 {
				t.Fatal(fmt.Sprint(i, m.lost, twin.lost, m.newer.count, m.older.count))
			}
		}
		if (lost > 0) != (capacity == 64) {
			t.Errorf("capacity %d: %d were lost", capacity, lost)
		}
	}
}
