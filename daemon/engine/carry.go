package engine

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/netip"
	"reflect"
	"slices"
	"time"

	"sesame/daemon/packet"
)

// This file carries over a restart what no journal has: attempts, and what bounds them. Else a
// restart would make whoever knocks begin again, and whoever guesses could begin anew.

// maxCarried bounds the first-stage attempts, the later ones and the delays that are carried, each.
// A flood makes more of them; the youngest count.
const maxCarried = 1 << 16

// A Carried is what an engine hands to the next one at a clean stop. It is bounded, and plain data
// for encoding/json, under the rules of a [State].
type Carried struct {
	*State
	Rules []Rules // of each door of State
}

// Rules say what a door was, for the attempts in it.
type Rules struct {
	Digest string `json:",omitempty"` // of all rules that apply to them
	Stages int
	Same   bool `json:",omitempty"` // the door has them still: see [Engine.Recognise]
}

// Carry returns what the next engine needs that [Engine.Continue] takes it. The journal has the
// rest: grants, values, and one-time sequences.
func (e *Engine) Carry() Carried {
	s := e.State()
	kept := &State{
		Now: s.Now, Offset: s.Offset, Doors: s.Doors, Groups: s.Groups, LastDoor: s.LastDoor,
		Completions: s.Completions, Limits: s.Limits, Steps: s.Steps, ScriptSteps: s.ScriptSteps, MissSteps: s.MissSteps,
		Secret: s.Secret, Flows: s.Flows, Copies: s.Copies.youngest(), Resends: s.Resends.youngest(),
	}
	kept.FirstStage, kept.Oldest = e.attempts.packYoungest(maxCarried)
	kept.Runs = youngest(s.Runs, func(r RunState) int64 { return r.Hits[len(r.Hits)-1].At })
	kept.Delays = youngest(s.Delays, func(d DelayState) int64 { return -d.Due })
	c := Carried{State: kept}
	for i := range kept.Doors {
		kept.Doors[i].Used, kept.Doors[i].Unrecorded = nil, nil
		d := e.index.doors[i].Door
		c.Rules = append(c.Rules, Rules{Digest: d.matchingDigest(), Stages: len(d.Sequence)})
	}
	return c
}

// Recognise returns what was carried, with a note which doors match as they did. Only that is
// needed then, so a recording has no digests.
func (e *Engine) Recognise(c Carried) Carried {
	rules := make([]Rules, len(c.Rules))
	for i, was := range c.Rules {
		rules[i] = Rules{Stages: was.Stages}
		if c.State != nil && i < len(c.Doors) {
			d := e.index.byName[string(c.Doors[i].Name)]
			rules[i].Same = d != nil && d.matchingDigest() == was.Digest
		}
	}
	c.Rules = rules
	return c
}

// youngest returns the entries with the latest times, at most maxCarried, in any order.
func youngest[T any](all []T, at func(T) int64) []T {
	if len(all) > maxCarried {
		slices.SortFunc(all, func(a, b T) int { return cmp.Compare(at(b), at(a)) })
		all = all[:maxCarried]
	}
	return all
}

// youngest returns a memory that is bounded. What is left out was lost, so attempts look themselves
// whether a packet repeats one of their knocks.
func (m *MemoryState) youngest() *MemoryState {
	const most = maxCarried * entrySize
	if m == nil || len(m.Newer)+len(m.Older) <= most {
		return m
	}
	bounded := *m
	bounded.Older, bounded.Lost = nil, max(m.Lost, m.OlderLast)
	if len(m.Newer) > most {
		bounded.Newer, bounded.Lost = nil, m.Last
	}
	return &bounded
}

// packYoungest is pack for the youngest first-stage attempts, in the order of their age.
func (t *table) packYoungest(most int) (packed []byte, oldest int) {
	var slots []int32
	for slot := t.newest; slot != 0 && len(slots) < most; slot = t.slots.at(slot).older {
		slots = append(slots, slot)
	}
	packed = make([]byte, 0, len(slots)*firstStageSize)
	for i, slot := range slices.Backward(slots) {
		oldest++ // the place of this one; the next younger one follows
		next := uint32(oldest + 1)
		if i == 0 {
			next = 0
		}
		packed = t.slots.at(slot).pack(packed, next)
	}
	return packed, min(oldest, 1)
}

// A matching has all rules that apply to an attempt. Its JSON gives a digest that outlives the
// program, so a new rule has omitzero: where it is not used, attempts go on after an upgrade.
type matching struct {
	Sequence            []Knock
	Listen              bool
	Policy              Policy
	Group               string
	Flags               FlagTest
	Target              netip.Addr
	Within, StepTimeout time.Duration
	OnWrong             OnWrong
	Duplicates          Duplicates
	Strict              bool
	Except              []packet.Port
}

// matching returns the rules of a door. None of a kind is nil.
func (d *Door) matching() matching {
	m := matching{d.Sequence, d.Listen, d.Policy, d.Group, d.Flags, d.Target, d.Within, d.StepTimeout, d.OnWrong, d.Duplicates, d.Strict, d.Except}
	if len(m.Sequence) == 0 {
		m.Sequence = nil
	}
	if len(m.Except) == 0 {
		m.Except = nil
	}
	return m
}

// sameMatching reports whether an attempt in a may continue in b: whether all rules that apply to
// it are equal.
func sameMatching(a, b *Door) bool { return reflect.DeepEqual(a.matching(), b.matching()) }

// matchingDigest returns a digest of the rules that apply to an attempt.
func (d *Door) matchingDigest() string {
	text, err := json.Marshal(d.matching())
	if err != nil {
		return "" // nothing of it can fail
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:16])
}
