package engine

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
)

// This file saves and restores memories, exactly: an engine that is resumed forgets the same
// entries, at the same packet.

// entrySize is the size of a packed entry in bytes, without its value, and pathSize that of a path.
const (
	entrySize = 16
	pathSize  = 12
)

// state returns what a memory holds at now. Entries whose span is over are left out: nobody finds
// them, and a newer generation that may hold such an entry becomes the older one at the next put.
// The packed values have a size; a nil value means that values are not saved. It must be quick,
// since packets wait meanwhile.
func (m *memory[V]) state(now int64, size int, value func([]byte, *V) []byte) *MemoryState {
	return &MemoryState{
		Began: m.newer.began, Last: m.newer.last, OlderLast: m.older.last, Lost: m.lost,
		Newer: m.pack(&m.newer, now, size, value), Older: m.pack(&m.older, now, size, value),
	}
}

func (m *memory[V]) pack(g *generation[V], now int64, size int, value func([]byte, *V) []byte) []byte {
	if now-g.last >= m.span {
		return nil
	}
	to := slices.Grow([]byte(nil), g.count*(entrySize+size))
	for i := range g.parts {
		entries := g.parts[i].entries
		for j := range entries {
			one := &entries[j]
			if now-one.at >= m.span {
				continue
			}
			to = binary.LittleEndian.AppendUint64(to, one.hash)
			to = binary.LittleEndian.AppendUint64(to, uint64(one.at))
			if value != nil {
				to = value(to, &one.value)
			}
		}
	}
	return to
}

func packPath(to []byte, p *path) []byte {
	to = binary.LittleEndian.AppendUint32(to, p.through)
	return binary.LittleEndian.AppendUint64(to, p.link)
}

func unpackPath(from []byte) path {
	return path{through: binary.LittleEndian.Uint32(from), link: binary.LittleEndian.Uint64(from[4:])}
}

// resume takes over the state of another memory at now, with values of a size. It may come from a
// stranger's file.
func (m *memory[V]) resume(s *MemoryState, now int64, size int, value func([]byte) V) error {
	if max(s.Began, s.Last, s.OlderLast, s.Lost) > now {
		return errors.New("a memory of the future")
	}
	m.lost = s.Lost
	for _, g := range []struct {
		to          *generation[V]
		from        []byte
		began, last int64
	}{{&m.newer, s.Newer, s.Began, s.Last}, {&m.older, s.Older, 0, s.OlderLast}} {
		g.to.began, g.to.last = g.began, g.last
		if len(g.from)%(entrySize+size) != 0 || len(g.from)/(entrySize+size) > m.half {
			return fmt.Errorf("a memory of %d bytes: expected at most %d entries of %d bytes", len(g.from), m.half, entrySize+size)
		}
		for ; len(g.from) > 0; g.from = g.from[entrySize+size:] {
			one := slot[V]{hash: binary.LittleEndian.Uint64(g.from), at: int64(binary.LittleEndian.Uint64(g.from[8:]))}
			if value != nil {
				one.value = value(g.from[entrySize:])
			}
			if err := m.resumeEntry(g.to, one, now); err != nil {
				return err
			}
		}
	}
	return nil
}

func (m *memory[V]) resumeEntry(g *generation[V], one slot[V], now int64) error {
	if one.hash&1 == 0 || one.at > now || one.at <= now-m.span {
		return errors.New("a memory with an entry that cannot be")
	}
	if !m.add(g, one) {
		return errors.New("a memory that holds a packet twice")
	}
	return nil
}

// resumeAgain restores the memories of packets and of TCP segments.
func (e *Engine) resumeAgain(s *State) error {
	if s.Copies == nil || s.Resends == nil {
		e.copies, e.resends, e.segments = nil, nil, newRecent(maxSegments)
		return e.segments.resume(s.Segments)
	}
	if err := e.copies.resume(s.Copies, s.Now, pathSize, unpackPath); err != nil {
		return err
	}
	return e.resends.resume(s.Resends, s.Now, 0, nil)
}
