package compare

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"sesame/daemon/engine"
	"sesame/daemon/transcript"
)

// mostOpenings bounds the openings of one set that are compared, and so do its refusals, misses and
// other effects: what a stranger sends decides how many there are.
const mostOpenings = 1 << 18

// A place finds an opening, a refusal or a miss again in the other set.
type place struct {
	door, source    string
	capture, packet int
}

// who is a source at a door.
type who struct{ door, source string }

func (p place) who() who { return who{p.door, p.source} }

// A miss is an attempt that ended unfinished.
type miss struct {
	time          time.Time
	packet        int
	stage, stages int
	reason        engine.Reason
}

// A said is a refusal, or an error of a script.
type said struct {
	at        place
	time      time.Time
	text      string // for people
	condition string // with the reason it says whether two refusals are the same
	reason    engine.Reason
}

// A given is a grant that has not ended, and the latest opening that gave or extended it.
type given struct {
	opening *Opening
	index   int // in Grants
}

// A collector is a [simulate.Writer] that keeps what is compared.
type collector struct {
	most    int
	me      string            // whose openings are kept beyond the bound, up to twice as many
	renamed map[string]string // names of doors that are called something else here; nil: none
	observe map[string]bool   // names of doors that only observe
	begin   time.Time
	end     time.Time

	openings []*Opening
	beyond   int                 // openings that were not kept
	latest   map[string]*Opening // of each door, while its effects may come
	live     map[uint64]given    // by number of the grant
	refusals map[place]*said
	order    []*said // of refusals
	refused  map[who][]*said
	misses   map[who][]miss
	missed   int
	others   map[string]*Effect // by what they are
}

// newCollector returns a collector for a set. The doors have the names that renamed has for them.
func newCollector(set *engine.Set, most int, renamed map[string]string) *collector {
	observe := map[string]bool{}
	for _, d := range set.Doors {
		observe[d.Name] = d.Observe
	}
	return &collector{most: most, renamed: renamed, observe: observe, latest: map[string]*Opening{}, live: map[uint64]given{}, refusals: map[place]*said{}, refused: map[who][]*said{}, misses: map[who][]miss{}, others: map[string]*Effect{}}
}

// Begin, Flush and Summary do nothing.
func (c *collector) Begin([]string, []string)         {}
func (c *collector) Flush() error                     { return nil }
func (c *collector) Summary(transcript.Summary) error { return nil }

// Events keeps what is compared.
func (c *collector) Events(events []engine.Event) {
	for i := range events {
		e := &events[i]
		if c.begin.IsZero() {
			c.begin = e.Time
		}
		if e.Packet > 0 {
			c.end = e.Time
		}
		at := place{cmp.Or(c.renamed[e.Door], e.Door), transcript.Source(e.Source), e.Capture, e.Packet}
		// The others need nothing.
		//exhaustive:ignore
		switch e.Kind {
		case engine.EventOpen:
			c.open(e, at)
		case engine.EventEffect:
			c.effect(e, at)
		case engine.EventClose:
			c.close(e)
		case engine.EventRefuse:
			c.refuse(&said{at, e.Time, "refused: " + transcript.Because(e.Reason, e.Detail), e.Condition, e.Reason})
		case engine.EventError:
			c.refuse(&said{at, e.Time, "failed: " + transcript.Fault(e), "", engine.Reason("error")})
		case engine.EventMiss:
			c.miss(e, at)
		}
	}
}

func (c *collector) open(e *engine.Event, at place) {
	o := &Opening{Door: at.door, Source: at.source, Time: e.Time.UTC(), Packet: e.Packet, Capture: e.Capture, Observed: c.observe[e.Door], at: at}
	c.latest[at.door] = o
	if bound := c.most; len(c.openings) >= bound && (at.source != c.me || len(c.openings) >= 2*bound) {
		c.beyond++
		return
	}
	c.openings = append(c.openings, o)
}

// effect keeps an effect with the opening that caused it.
func (c *collector) effect(e *engine.Event, at place) {
	o := c.latest[at.door]
	if o != nil && (e.Packet == 0 || o.Packet != e.Packet || o.Capture != e.Capture) {
		o = nil
	}
	// Undos follow the grants, and the others change nothing on the machine.
	//exhaustive:ignore
	switch e.Effect {
	case engine.EffectAllow:
		if o == nil {
			c.other(e, at)
			return
		}
		g := Grant{Port: e.Port.String(), TTL: transcript.Duration(e.TTL)}
		if at.source != o.Source {
			g.Source = at.source
		}
		o.Grants = append(o.Grants, g)
		c.live[e.Grant] = given{o, len(o.Grants) - 1}
	case engine.EffectExec:
		switch {
		case o == nil:
			c.other(e, at)
		case e.Argv != nil: // else it only extends
			o.Commands = append(o.Commands, slices.Clone(e.Argv))
		}
	case engine.EffectCut:
		c.other(e, at)
	}
}

// other counts an effect that no opening caused.
func (c *collector) other(e *engine.Event, at place) {
	one := &Effect{Door: at.door, Source: at.source, Effect: e.Effect.Name(), Command: slices.Clone(e.Argv)}
	if e.Effect != engine.EffectExec {
		one.Port = e.Port.String()
	}
	key := strings.Join(append([]string{one.Door, one.Source, one.Effect, one.Port}, one.Command...), "\x00")
	if known := c.others[key]; known != nil {
		one = known
	} else if len(c.others) < c.most {
		c.others[key] = one
	}
	one.Old++
}

// close notes when the grant of an opening ended.
func (c *collector) close(e *engine.Event) {
	one, known := c.live[e.Grant]
	if !known {
		return
	}
	delete(c.live, e.Grant)
	g := &one.opening.Grants[one.index]
	g.Ended, g.Reason = transcript.Duration(e.Time.Sub(one.opening.Time)), string(e.Reason)
	g.Cut = e.Cut
}

func (c *collector) refuse(s *said) {
	if len(c.order) < c.most && c.refusals[s.at] == nil {
		c.refusals[s.at] = s
		c.order = append(c.order, s)
		c.refused[s.at.who()] = append(c.refused[s.at.who()], s)
	}
}

func (c *collector) miss(e *engine.Event, at place) {
	if c.missed < c.most {
		c.missed++
		c.misses[at.who()] = append(c.misses[at.who()], miss{e.Time, e.Packet, e.Stage, e.Stages, e.Reason})
	}
}
