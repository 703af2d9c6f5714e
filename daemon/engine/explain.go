package engine

import (
	"hash/maphash"
	"net/netip"
	"time"

	"sesame/daemon/packet"
	"sesame/daemon/wire"
)

// This file reports what the engine decides. The functions that match packets return moves;
// here they become judgments. Nothing here decides, and nothing here is a part of the state: an
// engine gives the same events whether somebody asked or not.

// Explain makes the engine report what it decides about each packet at each door from now on; nil
// ends that. The Judgment is the engine's, and valid only during the call. The function must not
// give the engine an input.
//
// For most packets there is one Judgment for each door that they concern: those that the source has
// an attempt in, and those with a knock at the port. A packet that concerns none has one without
// a door. All come before [Engine.Packet] returns, in the order of the decisions.
//
// It costs a few hundred bytes for each source that had an attempt, for the latest 65,536.
func (e *Engine) Explain(report func(*Judgment)) {
	if e.explanation = nil; report != nil {
		e.explanation = newExplanation(e, report)
	}
}

// An explanation is what an engine holds to explain its decisions.
type explanation struct {
	engine  *Engine
	report  func(*Judgment)
	one     Judgment     // used again for each report
	judged  []*door      // that had a judgment of the packet at hand
	refusal Reason       // the latest, until a judgment has it
	detail  string       // of refusal
	seed    maphash.Seed // of the keys of timeouts
	// timeouts has, by source and door, what the latest attempt that time ended awaited.
	timeouts  *memory[timeout]
	originals *memory[Origin] // of the TCP segments that were seen, by the same hashes
}

// maxExplained bounds each of the memories of an explanation.
const maxExplained = 1 << 16

// A timeout is the end of an attempt by time.
type timeout struct {
	stage int // that it had; 0: a later attempt counts
	due   int64
}

// timeoutKey identifies a timeout by the source and the id of the door.
type timeoutKey struct {
	source [16]byte
	door   uint32
}

func newExplanation(e *Engine, report func(*Judgment)) *explanation {
	return &explanation{
		engine: e, report: report, seed: maphash.MakeSeed(),
		timeouts:  newMemory[timeout](wire.Forever, maxExplained),
		originals: newMemory[Origin](wire.Forever, maxExplained),
	}
}

// judge reports what became of the packet at hand at a door.
func (e *Engine) judge(d *door, m move) {
	if e.explanation != nil && m.ruling != 0 {
		e.explanation.judge(d, m)
	}
}

func (x *explanation) judge(d *door, m move) {
	p := x.engine.packet
	x.judged = append(x.judged, d)
	j := x.begin(d, p.Source, m)
	x.describe(j, p)
	switch m.ruling {
	case Began, Advanced, Finished:
		x.addRefusal(j)
		x.addLate(j, d, p)
		x.forgetTimeout(d, p.Source)
	case Ignored, Disturbed:
		x.addLate(j, d, p)
		x.addCause(j, p)
	case Repeated, TooLate, Ended, LetIn, KeptOut: // nothing to add
	}
	x.refusal, x.detail = "", ""
	x.report(j)
}

// begin begins a judgment, with all that does not depend on a packet.
func (x *explanation) begin(d *door, source netip.Addr, m move) *Judgment {
	j := &x.one
	*j = Judgment{
		Time: wire.Time(x.engine.now), Source: source, Ruling: m.ruling, Why: m.why,
		Before: m.before, Stage: m.stage, Left: time.Duration(m.left), Reason: m.reason,
	}
	if d != nil {
		if j.Door = d.Door; !d.Listen && m.before < len(d.Sequence) {
			j.Awaited = d.Sequence[m.before]
		}
	}
	return j
}

// describe adds what a packet is.
func (x *explanation) describe(j *Judgment, p *packet.Packet) {
	j.Packet, j.Capture, j.Dest, j.Came, j.Flags = p.Number, p.Capture, p.Dest, p.Port, p.Flags
}

// refused notes a refusal, for the judgment of the knock that it is of.
func (x *explanation) refused(v *Verdict) { x.refusal, x.detail = v.refusal(), v.Detail }

// addRefusal adds the reason for which a knock was refused, if it was.
func (x *explanation) addRefusal(j *Judgment) {
	if j.Reason == "" {
		j.Reason, j.Detail = x.refusal, x.detail
	}
}

// addCause adds what differs of a payload, or the packet that a segment repeats.
func (x *explanation) addCause(j *Judgment, p *packet.Packet) {
	switch j.Why {
	case OtherBytes:
		j.Detail = j.Door.Payload.Misfit(p)
	case ResentSegment:
		j.Original = x.original(p)
	}
}

// original returns the packet that a segment repeats; zero when it is not remembered any more.
func (x *explanation) original(p *packet.Packet) Origin {
	e := x.engine
	if o, _ := x.originals.get(e.secret.segment(p.Source, p.Sequence, p.SourcePort, p.Port.Number), e.now); o != nil {
		return *o
	}
	return Origin{}
}

// keep remembers a segment that was seen for the first time, by its hash.
func (x *explanation) keep(hash uint64, p *packet.Packet) {
	x.originals.put(hash, x.engine.now, Origin{p.Number, p.Capture, wire.Time(x.engine.now)})
}

// addLate adds how late a packet is, if it is what an attempt awaited that time had ended.
func (x *explanation) addLate(j *Judgment, d *door, p *packet.Packet) {
	ended, _ := x.timeouts.get(x.key(d, p.Source), x.engine.now)
	if ended == nil || ended.stage == 0 || ended.stage >= len(d.Sequence) || !d.Holds(ended.stage, p) {
		return
	}
	if j.Late = time.Duration(x.engine.now - ended.due); j.Ruling == Ignored && j.Why == OutOfTurn {
		j.Ruling, j.Why, j.Awaited = TooLate, NoWhy, d.Sequence[ended.stage]
	}
}

func (x *explanation) key(d *door, source netip.Addr) uint64 {
	return maphash.Comparable(x.seed, timeoutKey{source.As16(), d.id})
}

// forgetTimeout forgets what an attempt awaited, since a later one counts.
func (x *explanation) forgetTimeout(d *door, source netip.Addr) {
	if ended, _ := x.timeouts.get(x.key(d, source), x.engine.now); ended != nil {
		ended.stage = 0
	}
}

// timedOut reports the end of an attempt by time, and keeps what it awaited.
func (x *explanation) timedOut(d *door, source netip.Addr, m move, due int64) {
	x.timeouts.put(x.key(d, source), x.engine.now, timeout{m.before, due})
	j := x.begin(d, source, m)
	j.Time = wire.Time(due)
	x.report(j)
}

// ended reports the end of an attempt that no packet of its source caused.
func (x *explanation) ended(d *door, source netip.Addr, m move) { x.report(x.begin(d, source, m)) }

// firstStageEnded is ended or timedOut for a first-stage attempt. Its deadline may have been long
// ago: the engine looks at such attempts only when it must.
func (x *explanation) firstStageEnded(slot int32, d *door, why Why) {
	a := x.engine.attempts.slots.at(slot)
	m, due := move{ruling: Ended, why: why, before: 1}, wire.Add(a.first, d.firstStageLimit)
	switch {
	case x.engine.now >= due:
		if m.why, m.reason = NoWhy, TotalTimeout; d.firstStageLimit < d.Within {
			m.reason = StepTimeout
		}
		x.timedOut(d, a.key.addr(), m, due)
		return
	case why == NoWhy:
		m.reason = EndOfCapture
	}
	x.ended(d, a.key.addr(), m)
}

// judgeDropped reports why the packet at hand was no knock of any door.
func (e *Engine) judgeDropped(drop packet.Drop) {
	if e.explanation != nil {
		e.explanation.dropped(drop)
	}
}

func (x *explanation) dropped(drop packet.Drop) {
	p := x.engine.packet
	j := x.begin(nil, p.Source, move{ruling: Ignored})
	x.describe(j, p)
	switch drop {
	case packet.Malformed:
		j.Why = ImpossiblePacket
	case packet.Retransmit:
		j.Why, j.Original = ResentSegment, x.original(p)
	case packet.NotLocal:
		j.Why = OtherDestination
	default:
		j.Why = OtherPort
	}
	x.report(j)
}

// packet begins the judgments of a packet.
func (x *explanation) packet() {
	if x != nil {
		x.judged = x.judged[:0]
	}
}
