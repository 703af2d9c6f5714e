package engine

import (
	"hash/maphash"
	"net/netip"
	"slices"
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
	e.groupAttempts()
}

// Checked makes the engine report each condition that it, a function, or another condition checks
// from now on, and the outcome; nil ends that. It changes no decision. A condition behind one that
// decides is not checked.
func (e *Engine) Checked(report func(Condition, Outcome)) { e.checked = report }

// An explanation is what an engine holds to explain its decisions.
type explanation struct {
	engine  *Engine
	report  func(*Judgment)
	one     Judgment     // used again for each report
	judged  []*door      // that had a judgment of the packet at hand
	refusal refusal      // the latest, until a judgment has it
	nothing bool         // the function of a listener gave nothing, until a judgment has it
	seed    maphash.Seed // of the keys of timeouts
	// timeouts has, by source and door, what the latest attempt that time ended awaited.
	timeouts  *memory[timeout]
	originals *memory[Origin] // of the TCP segments that were seen, by the same hashes
	access    access
	doors     doorsBy
}

// A refusal is why a knock was refused.
type refusal struct {
	reason Reason
	detail string
	until  time.Time
}

// maxExplained bounds each of the memories of an explanation.
const maxExplained = 1 << 16

// A timeout is the end of an attempt by time. The zero timeout is none.
type timeout struct {
	stage  int // that it had
	due    int64
	reason Reason
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
		originals: newMemory[Origin](int64(resendSpan), maxExplained), access: newAccess(),
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
	if m.why == ResentSegment && slices.Contains(x.judged, d) {
		return // the packet was offered twice, to two ports of a group, and is no retransmit of itself
	}
	x.judged = append(x.judged, d)
	j := x.begin(d, p.Source, m)
	x.describe(j, p)
	switch m.ruling {
	case Began, Advanced, Finished:
		x.addRefusal(j)
		if x.nothing {
			j.Why = GaveNothing
		}
		if ended := x.timeout(d, p.Source); ended.stage > 0 {
			x.addLate(j, d, ended, p)
			x.forgetTimeout(d, p.Source)
		}
	case Ignored, Disturbed:
		x.addLate(j, d, x.timeout(d, p.Source), p)
		x.addCause(j, p)
	case Repeated, TooLate, Ended, LetIn, KeptOut: // nothing to add
	}
	if m.ruling != Ignored && m.stage > 0 && m.stage < len(d.Sequence) {
		x.addDeadline(j, d, p.Source)
	}
	x.refusal, x.nothing = refusal{}, false
	x.report(j)
}

// begin begins a judgment, with all that does not depend on a packet.
func (x *explanation) begin(d *door, source netip.Addr, m move) *Judgment {
	j := &x.one
	*j = Judgment{
		Time: wire.Time(x.engine.now), Source: source, Ruling: m.ruling, Why: m.why,
		Before: m.before, Stage: m.stage, Left: time.Duration(m.left), Limit: m.limit, Reason: m.reason,
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
func (x *explanation) refused(v *Verdict) {
	if x != nil {
		x.refusal = refusal{reason: v.refusal(), detail: v.Detail}
	}
}

// limited notes until when the limit refuses that has just refused a source.
func (x *explanation) limited(d *Door, source netip.Addr) {
	if x != nil {
		x.refusal.until = wire.Time(x.engine.limits.admitsAt(d, source))
	}
}

// gaveNothing notes that the function of a listener gave nothing.
func (x *explanation) gaveNothing() {
	if x != nil {
		x.nothing = true
	}
}

// addRefusal adds the reason for which a knock was refused, if it was.
func (x *explanation) addRefusal(j *Judgment) {
	if j.Reason == "" {
		j.Reason, j.Detail, j.Until = x.refusal.reason, x.refusal.detail, x.refusal.until
	}
}

// addDeadline adds when time will end the attempt of a source, if it goes on.
func (x *explanation) addDeadline(j *Judgment, d *door, source netip.Addr) {
	if slot := x.find(d, source); slot != 0 {
		due, limit := x.runsOut(d, slot)
		j.Deadline, j.Limit = wire.Time(due), limit
	}
}

// find returns the attempt of a source in a door, 0 when there is none. It may have expired.
func (x *explanation) find(d *door, source netip.Addr) int32 {
	t := x.engine.attempts
	for slot := range t.all(attemptKey{source.As16(), d.key}) {
		if t.slots.at(slot).door == d.id {
			return slot
		}
	}
	return 0
}

// runsOut returns when time ends an attempt, and for which reason.
func (x *explanation) runsOut(d *door, slot int32) (int64, Reason) {
	if r := x.engine.attempts.runOf(slot); r != nil {
		return runsOut(d, r.hits)
	}
	due := wire.Add(x.engine.attempts.slots.at(slot).first, d.firstStageLimit)
	if d.firstStageLimit < d.Within {
		return due, StepTimeout
	}
	return due, TotalTimeout
}

// addCause adds what differs of a payload, or the packet that a segment repeats.
func (x *explanation) addCause(j *Judgment, p *packet.Packet) {
	// The others need nothing.
	//exhaustive:ignore
	switch j.Why {
	case OtherBytes:
		j.Detail = j.Door.Payload.Misfit(p)
	case ResentSegment:
		j.Original = x.original(p)
	}
}

// original returns the packet that a segment repeats; zero when it is not remembered any more.
func (x *explanation) original(p *packet.Packet) Origin {
	if o, _ := x.originals.get(x.engine.segment(p), x.engine.now); o != nil {
		return *o
	}
	return Origin{}
}

// copied returns the packet of which another is a copy.
func (x *explanation) copied(p *packet.Packet) Origin {
	first, at := x.engine.copies.get(x.engine.secret.copy(p), x.engine.now)
	if first == nil {
		return Origin{}
	}
	return Origin{first.number, first.capture, wire.Time(at)}
}

// keep remembers a segment that was seen for the first time, by its hash.
func (x *explanation) keep(hash uint64, p *packet.Packet) {
	if x == nil {
		return
	}
	x.originals.put(hash, x.engine.now, Origin{p.Number, p.Capture, wire.Time(x.engine.now)})
}

// addLate adds how late a packet is, if it is what an attempt awaited that time has ended.
func (x *explanation) addLate(j *Judgment, d *door, ended timeout, p *packet.Packet) {
	if ended.stage == 0 || ended.stage >= len(d.Sequence) || !d.Holds(ended.stage, p) {
		return
	}
	j.Late = j.Time.Sub(wire.Time(ended.due))
	if j.Ruling == Ignored && j.Why == OutOfTurn {
		j.Ruling, j.Why, j.Reason = TooLate, NoWhy, ended.reason
		j.Before, j.Stage, j.Awaited = ended.stage, ended.stage, d.Sequence[ended.stage]
		x.forgetTimeout(d, p.Source)
	}
}

func (x *explanation) key(d *door, source netip.Addr) uint64 {
	return maphash.Comparable(x.seed, timeoutKey{source.As16(), d.id})
}

// timeout returns how time ended the latest attempt of a source in a door.
func (x *explanation) timeout(d *door, source netip.Addr) timeout {
	if x.timeouts.empty() {
		return timeout{}
	}
	if ended, _ := x.timeouts.get(x.key(d, source), x.engine.now); ended != nil {
		return *ended
	}
	return timeout{}
}

// forgetTimeout forgets what an attempt awaited: a later attempt counts, or it was said.
func (x *explanation) forgetTimeout(d *door, source netip.Addr) {
	if ended, _ := x.timeouts.get(x.key(d, source), x.engine.now); ended != nil {
		*ended = timeout{}
	}
}

// timedOut reports the end of an attempt by time, and keeps what it awaited.
func (x *explanation) timedOut(d *door, source netip.Addr, m move, due int64) {
	x.timeouts.put(x.key(d, source), x.engine.now, timeout{m.before, due, m.reason})
	j := x.begin(d, source, m)
	j.Time = wire.Time(due)
	x.report(j)
}

// ended reports the end of an attempt that no packet of its source caused.
func (x *explanation) ended(d *door, source netip.Addr, m move) { x.report(x.begin(d, source, m)) }

// firstStageEnded is ended or timedOut for a first-stage attempt. Its deadline may have been long
// ago: the engine looks at such attempts only when it must.
func (x *explanation) firstStageEnded(slot int32, d *door, why Why) {
	source := x.engine.attempts.slots.at(slot).key.addr()
	m := move{ruling: Ended, why: why, before: 1}
	due, limit := x.runsOut(d, slot)
	switch {
	case x.engine.now >= due:
		m.why, m.reason = NoWhy, limit
		x.timedOut(d, source, m, due)
		return
	case why == NoWhy:
		m.reason = EndOfCapture
	}
	x.ended(d, source, m)
}

// firstStagesGo reports the ends of the first-stage attempts whose door goes. They stay in the
// table until the engine looks at them again, which ends nothing any more.
func (x *explanation) firstStagesGo(reason Reason, goes func(*door) bool) {
	e := x.engine
	for slot := e.attempts.oldest; slot != 0; slot = e.attempts.slots.at(slot).newer {
		a := e.attempts.slots.at(slot)
		switch d := e.index.byID[a.door]; {
		case d == nil || !goes(d):
		case e.expired(slot, d):
			x.firstStageEnded(slot, d, NoWhy)
		default:
			x.ended(d, a.key.addr(), move{ruling: Ended, before: 1, reason: reason})
		}
	}
}
