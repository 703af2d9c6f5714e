package daemon

import (
	"net/netip"
	"time"

	"sesame/daemon/engine"
	"sesame/scripting"
	"sesame/scripting/difference"
)

// A proof looks for what shows that a set on trial lets people in: an opening of each door that
// changed, by packets that came after the trial began, of which an effect was carried out. It also
// notes the one-time sequences that are used meanwhile. The loop owns it.
type proof struct {
	began   time.Time
	doors   map[string]*engine.Door
	fresh   map[attemptOf]bool
	lacking map[string]bool    // of doors, those that nobody has opened yet
	awaited map[uint64]opening // effects of openings
	used    []engine.Consumed  // that the set before still has
	proved  chan string        // capacity 1: the opening of the last door
}

// An opening is one of a door that changed.
type opening struct{ door, why string }

type attemptOf struct {
	door   string
	source netip.Prefix
}

// Bounds of what strangers can cause. An attempt beyond them proves nothing; the next one may.
const (
	maxFresh   = 4096
	maxAwaited = 1024
)

// newProof returns a proof for the doors of a set that changed. Doors that only observe open
// nothing, and a scan of ports completes those of one knock.
func newProof(began time.Time, set *scripting.Set, changes []difference.Change) *proof {
	p := &proof{began: began, doors: map[string]*engine.Door{}, fresh: map[attemptOf]bool{}, lacking: map[string]bool{}, awaited: map[uint64]opening{}, proved: make(chan string, 1)}
	changed := map[string]bool{}
	for _, c := range changes {
		changed[c.Name] = changed[c.Name] || c.Kind == difference.Door && c.What != difference.Gone
	}
	for _, d := range set.Engine.Doors {
		if changed[d.Name] && !d.Observe && !d.ByAnyone() {
			p.doors[d.Name], p.lacking[d.Name] = d, true
		}
	}
	return p
}

// events looks at the events of one input. The first stage of an attempt shows that it is new. An
// attempt lives no longer than its door allows, so after that time all of them are.
func (p *proof) events(events []engine.Event) {
	p.used = appendUsed(p.used, events)
	opened := ""
	for i := range events {
		e := &events[i]
		d := p.doors[e.Door]
		if d == nil {
			continue
		}
		who := attemptOf{e.Door, e.Source}
		switch {
		case e.Kind == engine.EventStage && e.Stage == 1 && len(p.fresh) < maxFresh:
			p.fresh[who] = true
		case e.Kind == engine.EventMiss:
			delete(p.fresh, who)
		case e.Kind == engine.EventOpen:
			opened = ""
			if p.fresh[who] || d.Listen || d.Within > 0 && e.Time.Sub(p.began) > d.Within {
				opened = e.Door
			}
			delete(p.fresh, who)
		case e.Kind == engine.EventEffect && e.Door == opened && e.ID != 0 && len(p.awaited) < maxAwaited &&
			(e.Effect == engine.EffectAllow || e.Effect == engine.EffectExec):
			p.awaited[e.ID] = opening{e.Door, "door " + e.Door + " was opened from " + e.Source.Addr().String()}
		}
	}
}

// appendUsed adds the lines of one-time sequences that were used in an input.
func appendUsed(used []engine.Consumed, events []engine.Event) []engine.Consumed {
	for i := range events {
		if e := &events[i]; e.Kind == engine.EventEffect && e.Effect == engine.EffectConsume {
			used = append(used, engine.Consumed{File: e.File, Line: e.Text})
		}
	}
	return used
}

// result notes what became of an effect. The opening of one door says nothing about another.
func (p *proof) result(id uint64, err error) {
	o, awaited := p.awaited[id]
	if delete(p.awaited, id); !awaited || err != nil {
		return
	}
	if delete(p.lacking, o.door); len(p.lacking) > 0 {
		return
	}
	select {
	case p.proved <- o.why:
	default: // one is enough
	}
}
