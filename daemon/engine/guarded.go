package engine

import (
	"hash/maphash"
	"net/netip"
	"time"

	"sesame/daemon/packet"
	"sesame/daemon/wire"
)

// This file judges packets to guarded ports: whether a grant lets them in.

// access is what an explanation remembers of the grants that ended.
type access struct {
	seed   maphash.Seed
	ended  *memory[endedGrant] // the latest, by source and port
	widths [129]bool           // lengths of the prefixes that were ever in ended
}

type endedGrant struct {
	id   uint64
	door string
	end  time.Time
}

// accessKey is who had access to what.
type accessKey struct {
	source netip.Prefix
	port   packet.Port
}

func newAccess() access {
	return access{seed: maphash.MakeSeed(), ended: newMemory[endedGrant](wire.Forever, maxExplained)}
}

func (a *access) key(source netip.Prefix, port packet.Port) uint64 {
	return maphash.Comparable(a.seed, accessKey{source, port})
}

// grantEnded notes that a grant of a port has ended.
func (x *explanation) grantEnded(g *grant) {
	if x == nil || g.Argv != nil {
		return
	}
	now := x.engine.now
	x.access.widths[g.Source.Bits()] = true
	x.access.ended.put(x.access.key(g.Source, g.Port), now, endedGrant{g.ID, g.Door, wire.Time(now)})
}

// guarded judges a packet that asks for something at a guarded port of this host.
func (x *explanation) guarded(l *look) bool {
	d := x.arrange().guard[l.Port]
	if d == nil || !l.ours || !l.asks() {
		return false
	}
	j := x.look(d, l, move{ruling: KeptOut})
	j.Awaited = Knock{}
	if g := x.engine.grants.letting(l.Source, l.Port); g == nil {
		x.access.explain(j, x.engine.index)
	} else {
		j.name(x.engine.index, g.Door, g.ID)
		if j.Ruling = LetIn; !g.End.After(j.Time) { // its timer is still to fire
			j.Ruling, j.Since = KeptOut, g.End
		}
	}
	x.report(j)
	return true
}

// name notes a grant and its door, if that is still there.
func (j *Judgment) name(x *index, door string, id uint64) {
	if j.Grant = id; x.door(door) != nil {
		j.Door = x.door(door).Door
	}
}

// explain adds the grant that let a source in last.
func (a *access) explain(j *Judgment, x *index) {
	var last endedGrant
	for bits := range j.Source.BitLen() + 1 {
		if !a.widths[bits] {
			continue
		}
		around, _ := j.Source.Prefix(bits)
		if g, _ := a.ended.get(a.key(around, j.Came), wire.Nanoseconds(j.Time)); g != nil && g.end.After(last.end) {
			last = *g
		}
	}
	if last.id != 0 {
		j.name(x, last.door, last.id)
		j.Since = last.end
	}
}

// letting returns the grant that lets a source in at a port: of several, the one that lasts
// longest. A grant that is only observed counts: it would let the source in.
func (s *grants) letting(a netip.Addr, port packet.Port) (last *grant) {
	for _, l := range s.lengths[family{port, a.Is4()}] {
		around, _ := a.Prefix(l.bits)
		for _, observed := range []bool{false, true} {
			g := s.byKey.latest(grantKey{source: around, port: port, observed: observed})
			if g != nil && (last == nil || g.End.After(last.End)) {
				last = g
			}
		}
	}
	return last
}
