package account

import (
	"fmt"
	"slices"
	"time"

	"sesame/daemon/engine"
	"sesame/daemon/packet"
	"sesame/daemon/transcript"
)

// Visits are the packets of a source that asked for ports that a door guards. Of each kind the
// count is kept, and one of them.
type visits struct {
	letIn visit // by a grant, the first
	ended visit // after a grant ended, the latest
	early visit // before the source knocked, the latest
}

// A visit is a packet to a guarded port.
type visit struct {
	count   int
	at      position
	time    time.Time
	port    packet.Port
	grant   uint64
	by      time.Duration // how long after the end of the grant, or before the opening
	opening position      // the last knock of the opening that came too late for it
}

// soon is how long before an opening a visit may be for it to be called early.
const soon = time.Minute

// visit notes a packet to a guarded port. It belongs to the door that gave the grant, if that is
// known.
func (b *Book) visit(j *engine.Judgment) {
	v := visit{at: positionOf(j), time: j.Time, port: j.Came, grant: j.Grant}
	op := b.byGrant.of(j.Grant)
	switch {
	case j.Ruling == engine.LetIn && op == nil:
		return // the grant is of a person, or of long ago
	case j.Ruling == engine.LetIn:
		op.record.visited().letIn.first(v)
	case op != nil:
		v.by = j.Time.Sub(j.Since)
		op.record.visited().ended.latest(v)
	default:
		s := b.source(j.Source)
		if s.turned == nil {
			s.turned = &visit{}
		}
		s.turned.latest(v)
	}
}

// visited returns the visits of a record, to add one.
func (r *record) visited() *visits {
	if r.visits == nil {
		r.visits = &visits{}
	}
	return r.visits
}

func (v *visit) first(one visit) {
	if v.count++; v.count == 1 {
		one.count = 1
		*v = one
	}
}

func (v *visit) latest(one visit) {
	one.count = v.count + 1
	*v = one
}

// visitedBefore notes that a door opened a port, for which its source had asked too early.
func (r *record) visitedBefore(port packet.Port, at position, now time.Time) {
	v := r.source.turned
	if v == nil || v.port != port || now.Sub(v.time) > soon {
		return
	}
	v.by, v.opening = now.Sub(v.time), at
	v.count += r.visited().early.count
	r.visits.early, r.source.turned = *v, nil
}

// visitLines says what became of the packets to the ports that the door guards.
func (r *record) visitLines() []string {
	dropped, letIn := "dropped", "let in"
	if r.rules != nil && r.rules.Observe {
		dropped, letIn = "would have been dropped", "would have been let in"
	}
	var lines []string
	add := func(v *visit, what, which, grant, why string) {
		if v.count > 0 {
			where := inBrackets(v.at.String(), grant)
			if v.count > 1 {
				where = fmt.Sprintf(" %d times, %s%s", v.count, which, where)
			}
			lines = append(lines, fmt.Sprintf("%v: %s%s%s", v.port, what, where, why))
		}
	}
	v := r.visits
	if v == nil {
		v = &visits{}
	}
	add(&v.early, dropped, "last", "", ": knocked "+transcript.Duration(v.early.by)+" later"+inBrackets(v.early.opening.String()))
	add(&v.letIn, letIn, "first", fmt.Sprintf("grant %d", v.letIn.grant), "")
	add(&v.ended, dropped, "last", "", fmt.Sprintf(": grant %d ended %s before", v.ended.grant, transcript.Duration(v.ended.by)))
	if turned := r.source.turned; turned != nil && r.rules != nil && slices.Contains(r.rules.Guards, turned.port) {
		add(turned, dropped, "last", "", ": no grant")
	}
	return lines
}
