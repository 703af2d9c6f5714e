package compare

import (
	"cmp"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"

	"sesame/daemon/engine"
	"sesame/daemon/transcript"
	"sesame/simulate/account"
)

// A comparison compares what two sets made of the same packets.
type comparison struct {
	*Report
	doors   map[string]*engine.Door // of the new set, by name
	was, is *collector
	within  map[string]time.Duration // by name of a door in the new set: see windows
	told    map[*said]bool           // refusals that an opening tells of
	// alone returns the account of a source at a door of the new set, without the other doors; nil
	// when there is none.
	alone func(source netip.Addr, door string) *account.Account
}

// leastWindow is how far two openings may be apart all the same that are one.
const leastWindow = time.Second

// windows finds out how far two openings of one door and source may be apart that come of the same
// knocks: as long as one knocking may take in either set.
func (m *comparison) windows(before, after *engine.Set) {
	m.within = map[string]time.Duration{}
	note := func(name string, d *engine.Door) {
		length := max(leastWindow, d.Within, d.StepTimeout*time.Duration(len(d.Sequence)))
		m.within[name] = max(m.within[name], length)
	}
	for _, d := range before.Doors {
		note(cmp.Or(m.renamed[d.Name], d.Name), d)
	}
	for _, d := range after.Doors {
		note(d.Name, d)
	}
}

// compare fills the report.
func (m *comparison) compare() {
	m.Opens = Totals{len(m.was.openings) + m.was.beyond, len(m.is.openings) + m.is.beyond}
	m.Uncompared = m.was.beyond + m.is.beyond
	m.Begin, m.End = earlier(m.was.begin, m.is.begin), later(m.was.end, m.is.end)
	m.match()
	for _, o := range m.was.openings {
		m.judge(o)
	}
	for _, o := range m.is.openings {
		if o.other == nil || o.other.Observed && !o.Observed {
			m.Gained = append(m.Gained, Gained{o, m.before(o)})
		}
	}
	m.explain()
	m.refusals()
	m.effects()
	m.table()
	m.unknown()
}

// match finds each opening again in the other set: by its packet, and else by its time.
func (m *comparison) match() {
	by := make(map[place]*Opening, len(m.is.openings))
	for _, o := range m.is.openings {
		by[o.at] = o
	}
	for _, o := range m.was.openings {
		if n := by[o.at]; n != nil && n.other == nil {
			o.other, n.other = n, o
		}
	}
	left := map[who][]*Opening{}
	for _, o := range m.is.openings {
		if o.other == nil {
			left[o.at.who()] = append(left[o.at.who()], o)
		}
	}
	for _, o := range m.was.openings {
		if o.other == nil {
			left[o.at.who()] = m.near(o, left[o.at.who()])
		}
	}
}

// near matches an opening with the first of those in order that comes of the same knocks, and
// returns those that are left for later ones.
func (m *comparison) near(o *Opening, left []*Opening) []*Opening {
	for len(left) > 0 {
		apart := left[0].Time.Sub(o.Time)
		if apart > m.within[o.Door] {
			break // it belongs to a later one, or to none
		}
		n := left[0]
		left = left[1:]
		if -apart <= m.within[o.Door] {
			o.other, n.other = n, o
			break
		}
	}
	return left
}

// judge notes an opening of the old set that is lost or changed.
func (m *comparison) judge(o *Opening) {
	n := o.other
	switch {
	case n == nil || n.Observed && !o.Observed:
		m.Lost = append(m.Lost, Lost{Opening: o})
	case n.Observed == o.Observed:
		if list := differences(o, n); list != nil {
			m.Changed = append(m.Changed, Changed{o, n, list})
		}
	}
}

// refusals compares why sequences were refused that opened nothing with either set.
func (m *comparison) refusals() {
	opens := map[place]bool{}
	for _, o := range slices.Concat(m.was.openings, m.is.openings) {
		opens[o.at] = true
	}
	note := func(s *said, before, then string) {
		if !opens[s.at] && !m.told[s] {
			m.Refusals = append(m.Refusals, Refusal{s.at.door, s.at.source, s.time.UTC(), s.at.packet, s.at.capture, before, then})
		}
	}
	for _, s := range m.was.order {
		switch n := m.is.refusals[s.at]; {
		case n == nil:
			note(s, s.text, "")
		case n.reason != s.reason || n.condition != s.condition:
			note(s, s.text, n.text)
		}
	}
	for _, s := range m.is.order {
		if m.was.refusals[s.at] == nil {
			note(s, "", s.text)
		}
	}
	slices.SortStableFunc(m.Refusals, func(a, b Refusal) int { return a.Time.Compare(b.Time) })
}

// effects compares what no opening gave.
func (m *comparison) effects() {
	all := map[string]*Effect{}
	for key, e := range m.was.others {
		all[key] = e
	}
	for key, e := range m.is.others {
		one := *e
		if known := all[key]; known != nil {
			one.Old = known.Old
		} else {
			one.Old = 0
		}
		one.New = e.Old // a collector counts there
		all[key] = &one
	}
	for _, key := range slices.Sorted(maps.Keys(all)) {
		if e := all[key]; e.Old != e.New {
			m.Effects = append(m.Effects, *e)
		}
	}
}

// table counts by door.
func (m *comparison) table() {
	rows := map[string]*Door{}
	row := func(name string) *Door {
		if rows[name] == nil {
			rows[name] = &Door{Door: name}
		}
		return rows[name]
	}
	for was, is := range m.renamed {
		row(is).Was = was
	}
	for _, o := range m.was.openings {
		row(o.Door).Old++
	}
	for _, o := range m.is.openings {
		row(o.Door).New++
	}
	for _, o := range m.Lost {
		row(o.Door).Lost++
	}
	for _, o := range m.Gained {
		row(o.Door).Gained++
	}
	for _, o := range m.Changed {
		row(o.Door).Changed++
	}
	for _, name := range slices.Sorted(maps.Keys(rows)) {
		m.Doors = append(m.Doors, *rows[name])
	}
	for _, name := range slices.Sorted(maps.Keys(m.within)) { // it has the doors of both sets
		if one := rows[name]; one == nil || one.Old+one.New == 0 {
			m.Unopened = append(m.Unopened, name)
		}
	}
}

// unknown gathers the questions that nobody could answer.
func (m *comparison) unknown() {
	for _, r := range m.Replays {
		for line := range strings.Lines(r.Hints()) {
			if line = strings.TrimSuffix(line, "\n"); !slices.Contains(m.Unknown, line) {
				m.Unknown = append(m.Unknown, line)
			}
		}
	}
}

func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		a = b
	}
	return a.UTC()
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		a = b
	}
	return a.UTC()
}

// before says what the old set made of the packet of an opening that is new.
func (m *comparison) before(o *Opening) string {
	if o.other != nil {
		return "the door only observed"
	}
	if s := m.refusal(o, m.was, m.is); s != nil {
		return s.text
	}
	if x, found := m.was.around(o, m.within[o.Door]); found {
		return x.String()
	}
	return ""
}

// String tells how far the attempt came: "stopped at 3 of 4: total timeout (packet 13)".
func (x *miss) String() string {
	why := strings.ReplaceAll(string(x.reason), "_", " ")
	if x.reason == engine.EndOfCapture {
		why = "its next knock did not come"
	}
	text := "stopped at " + transcript.Number(x.stage) + " of " + transcript.Number(x.stages) + ": " + why
	if x.packet > 0 {
		text += " (packet " + transcript.Number(x.packet) + ")"
	}
	return text
}
