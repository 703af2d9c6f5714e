package control

import (
	"fmt"

	"sesame/daemon/engine"
	"sesame/daemon/packet"
	"sesame/daemon/transcript"
)

// This file is the totals in a status. A new one is a field of Counts, a line of CountsOf and
// a place in its text; a test fails when one of the three is forgotten.

// Counts are totals since the daemon started.
type Counts struct {
	Packets  int            `json:"packets"` // that passed the kernel's filter
	Knocks   int            `json:"knocks"`
	Opens    int            `json:"opens"`
	Misses   int            `json:"misses"` // attempts of one knock too, once their time is over
	Refusals int            `json:"refusals"`
	Errors   int            `json:"errors"`  // faults of scripts
	Clamped  int            `json:"clamped"` // packets stamped earlier than their predecessor
	Dropped  map[string]int `json:"dropped"` // by reason, as in the transcript
}

// CountsOf returns an engine's counts, and the packets that were dropped before the engine
// saw them, by reason.
func CountsOf(c engine.Counts, before [packet.Drops]int) Counts {
	counts := Counts{
		Packets: c.Packets, Knocks: c.Knocks, Opens: c.Opens, Misses: c.Misses,
		Refusals: c.Refusals, Errors: c.Errors, Clamped: c.Clamped, Dropped: map[string]int{},
	}
	for d := packet.NotDropped + 1; d < packet.Drops; d++ {
		counts.Packets += before[d]
		if n := c.Dropped[d] + before[d]; n > 0 {
			counts.Dropped[d.String()] = n
		}
	}
	return counts
}

// String returns the totals in one line for people, without the dropped packets.
func (c *Counts) String() string {
	text := fmt.Sprintf("%s, %s: %s, %s, %s, %s", transcript.Count(c.Packets, "packet"), transcript.Count(c.Knocks, "knock"),
		transcript.Count(c.Opens, "open"), transcript.Count(c.Misses, "miss"), transcript.Count(c.Refusals, "refusal"), transcript.Count(c.Errors, "error"))
	if c.Clamped > 0 {
		text += ", " + transcript.Number(c.Clamped) + " clamped"
	}
	return text
}
