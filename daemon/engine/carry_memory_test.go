package engine

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"slices"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"sesame/daemon/packet"
)

// What tells a copy and a resent packet from a new one is as before.
func TestMemoriesOfPacketsSurviveARestart(t *testing.T) {
	door := aDoor(t, "ssh", "tcp/501", "tcp/502")
	w := newWorld(t, door)
	p := packet.Packet{
		Time: w.now, Source: netip.MustParseAddr(alice), Dest: netip.MustParseAddr("198.51.100.1"),
		SourcePort: 1024, Port: ports(t, "tcp/501")[0], Flags: packet.SYN, Sequence: 7, Digest: 8,
	}
	w.e.Packet(&p)
	w.e.flows.add(7) // only packets of this host itself are remembered there
	before := w.e.Carry()
	w.restart(door)
	after := w.e.Carry()
	for name, both := range map[string][2]any{
		"flows": {before.Flows, after.Flows}, "copies": {before.Copies, after.Copies}, "resends": {before.Resends, after.Resends},
	} {
		if diff := gocmp.Diff(both[0], both[1]); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	empty := New(w.e.cfg, w.now).Carry()
	if gocmp.Equal(before.Flows, empty.Flows) || gocmp.Equal(before.Copies, empty.Copies) || gocmp.Equal(before.Resends, empty.Resends) {
		t.Errorf("nothing was remembered: %+v %+v", before.Copies, before.Resends)
	}
}

// The times in them move with those of all else: here by the hour that the clock was ahead.
func TestMemoriesOfPacketsMoveWithTheClock(t *testing.T) {
	door := aDoor(t, "ssh", "tcp/501", "tcp/502")
	w := newWorld(t, door)
	for i, source := range []string{alice, bob} {
		p := w.packet(source, "tcp/501")
		p.Digest = uint64(8 + i) // without one it is no copy of any
		w.e.Packet(&p)
	}
	w.record(w.e.Step(w.now, time.Hour))
	before := w.e.Carry()
	w.advance(time.Hour)
	w.restart(door)
	after := w.e.Carry()
	for name, m := range map[string]struct {
		before, after *MemoryState
		size          int
	}{"copies": {before.Copies, after.Copies, entrySize + pathSize}, "resends": {before.Resends, after.Resends, entrySize}} {
		want, got := entriesOf(m.before.Newer, m.size, time.Hour), entriesOf(m.after.Newer, m.size, 0)
		if len(want) != 2 || !gocmp.Equal(want, got) || m.after.Last != m.before.Last+int64(time.Hour) || m.after.Began != m.before.Began+int64(time.Hour) {
			t.Errorf("%s: %+v, before %+v", name, m.after, m.before)
		}
	}
}

// entriesOf returns the packed entries of a memory, in the order of their bytes, each later by a
// time.
func entriesOf(packed []byte, size int, later time.Duration) (all [][]byte) {
	for one := range slices.Chunk(slices.Clone(packed), size) {
		binary.LittleEndian.PutUint64(one[8:], binary.LittleEndian.Uint64(one[8:])+uint64(later))
		all = append(all, one)
	}
	slices.SortFunc(all, bytes.Compare)
	return all
}
