package engine

import (
	"sesame/daemon/packet"
	"sesame/daemon/wire"
)

// A run is the state of an attempt from its second stage on. It has each of its knocks, so that
// a shorter run among them can be found when the longer one fails.
type run struct {
	door  *door
	slot  int32 // of its attempt
	hits  []hit // one a stage
	timer timer
}

// A hit is a knock that counted.
type hit struct {
	port     packet.Port
	flags    packet.Flags
	from     uint16 // source port
	sequence uint32 // of TCP
	at       int64
}

// repeats reports whether h is a retransmit of other: the same segment of the same connection.
func (h hit) repeats(other hit) bool {
	return h.port.Proto == packet.TCP && h.port == other.port && h.from == other.from && h.sequence == other.sequence
}

// is reports whether the hit is the knock k.
func (h hit) is(k Knock) bool {
	return h.port == k.Port && (k.Port.Proto != packet.TCP || k.Flags.asked(h.flags))
}

// longestRun returns the longest run of the latest hits that is a beginning of the door's
// sequence and in time at now.
func longestRun(d *door, hits []hit, now int64) []hit {
	for ; len(hits) > 0; hits = hits[1:] {
		if len(hits) < len(d.Sequence) && now < deadline(d, hits) && isHead(d, hits) {
			return hits
		}
	}
	return nil
}

// isHead reports whether hits are the beginning of the door's sequence.
func isHead(d *door, hits []hit) bool {
	for i, h := range hits {
		if !h.is(d.Sequence[i]) {
			return false
		}
	}
	return true
}

// deadline returns when a run of hits expires if no further knock comes.
func deadline(d *door, hits []hit) int64 {
	due, _ := runsOut(d, hits)
	return due
}

// runsOut is deadline, with the reason of the miss that follows then.
func runsOut(d *door, hits []hit) (due int64, reason Reason) {
	total := wire.Add(hits[0].at, d.Within)
	if d.StepTimeout > 0 {
		if step := wire.Add(hits[len(hits)-1].at, d.StepTimeout); step < total {
			return step, StepTimeout
		}
	}
	return total, TotalTimeout
}
