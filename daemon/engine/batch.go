package engine

import "time"

// A batch is the effects of one reply that are to be carried out in order. When
// one fails, those done before it are taken back, in reverse.
type batch struct{ entries []entry }

// An entry is an effect whose result is awaited.
type entry struct {
	event Event
	grant *grant    // that it is for; nil: none
	was   time.Time // the end of the grant before; zero: the effect made it
	done  bool
}

// batches finds effects by the id that the runner answers with.
type batches struct{ byID map[uint64]position }

// position is where an entry stands.
type position struct {
	batch *batch
	index int
}

func newBatches() *batches { return &batches{byID: make(map[uint64]position)} }

func (s *batches) pending() int { return len(s.byID) }

// effect emits an effect of a batch. One that changes nothing is not awaited.
func (e *Engine) effect(b *batch, event Event, g *grant, was time.Time) {
	if event.Argv != nil || !event.Until.IsZero() && event.Effect == EffectAllow {
		e.effects++
		event.ID = e.effects
		e.batches.byID[event.ID] = position{b, len(b.entries)}
		b.entries = append(b.entries, entry{event: event, grant: g, was: was})
	}
	e.emit(event)
}

// result takes the runner's answer.
func (e *Engine) result(id uint64, err error) {
	at, ok := e.batches.byID[id]
	if !ok {
		return
	}
	delete(e.batches.byID, id)
	b := at.batch
	done := &b.entries[at.index]
	if err == nil {
		done.done = true
		if done.event.Effect == EffectUndo {
			e.persist(Record{Grant: &done.grant.Grant, Ended: true})
		}
		return
	}
	e.emit(Event{
		Kind: EventFailed, Door: done.event.Door, Source: done.event.Source,
		Effect: done.event.Effect, Detail: err.Error(),
	})
	if done.event.Effect == EffectUndo {
		return
	}
	for _, never := range b.entries[at.index:] {
		delete(e.batches.byID, never.event.ID)
		e.takeBack(never, false)
	}
	for i := at.index - 1; i >= 0; i-- {
		e.takeBack(b.entries[i], true)
	}
	b.entries = nil
}

// takeBack undoes one effect of a failed batch: a grant that it made ends, one
// that it prolonged gets its former end again, and ends if that has come. A
// command that never ran is owed no undo.
func (e *Engine) takeBack(x entry, done bool) {
	g := x.grant
	if g == nil || e.grants.byID[g.ID] != g {
		return
	}
	if !x.was.After(at(e.now)) {
		if !done && x.was.IsZero() {
			g.Undo = nil
		}
		e.end(g, NotDone, 0)
		return
	}
	g.End = x.was
	e.move(&g.timer, x.was.UnixNano())
	if g.Argv == nil {
		e.emit(e.elementOf(g, e.grants.latest(g.key)))
	}
}
