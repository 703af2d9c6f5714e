package compare

import (
	"net/netip"
	"slices"
	"strings"
	"time"

	"sesame/simulate/account"
)

// This file says why an opening is lost. What the new set made of its packet tells most: a refusal,
// or an error of a script. Else the account of the source tells, when the source opened nothing at
// all, or the attempt that ended at about that time.

// explain fills the reasons of what is lost.
func (m *comparison) explain() {
	accounts := m.accounts()
	for i := range m.Lost {
		one := &m.Lost[i]
		one.Why = m.why(one, accounts[one.at.who()])
		one.why = one.Why
	}
}

// mostAgain bounds the further replays that look at what else a source sent.
const mostAgain = 16

// again replaces accounts of sources that opened another door. A replay looks at the packets that
// no door watches, such as knocks of before, only for sources that opened nothing. So these are
// replayed once more, as if there were no other door.
func (m *comparison) again(accounts map[who]*account.Account) {
	opened := map[string]bool{}
	for _, o := range m.is.openings {
		opened[o.Source] = true
	}
	left, seen := mostAgain, map[who]bool{}
	for i := range m.Lost {
		key := m.Lost[i].at.who()
		a := accounts[key]
		source, err := netip.ParseAddr(key.source)
		if left == 0 || seen[key] || err != nil || !opened[key.source] || m.doors[key.door] == nil || a != nil && a.Result == account.ResultOpened {
			continue
		}
		left, seen[key] = left-1, true
		if better := m.alone(source, key.door); better != nil {
			accounts[key] = better
		}
	}
}

// accounts returns the accounts of the new set that are about what is lost.
func (m *comparison) accounts() map[who]*account.Account {
	wanted := map[who]*account.Account{}
	for i := range m.Lost {
		wanted[m.Lost[i].at.who()] = nil
	}
	for a := range m.Replays[1].Accounts() {
		key := who{a.Door, a.Source.String()}
		if _, some := wanted[key]; some {
			wanted[key] = a
		}
	}
	m.again(wanted)
	return wanted
}

// why says why an opening of the old set is none of the new one.
func (m *comparison) why(one *Lost, a *account.Account) string {
	switch {
	case m.doors[one.Door] == nil:
		return "the new scripts have no such door"
	case one.other != nil:
		return "the door only observes now"
	}
	if refused := m.refusal(one.Opening, m.is, m.was); refused != nil {
		return refused.text
	}
	if a != nil && a.Result != account.ResultOpened && len(a.Lines) > 0 {
		one.Suggestion = a.Suggestion
		return strings.Join(a.Lines, "; ")
	}
	if x, found := m.is.around(one.Opening, m.within[one.Door]); found {
		return x.String()
	}
	if a != nil { // of a source that also opened the door
		if rest := slices.DeleteFunc(slices.Clone(a.Lines), func(line string) bool { return strings.HasPrefix(line, "opened") }); len(rest) > 0 {
			return strings.Join(rest, "; ")
		}
	}
	return "no attempt at the new door came to its end"
}

// refusal returns the refusal of one set in place of an opening of the other: of its packet, else
// the nearest one of the same knocks that the other set does not have; nil for none.
func (m *comparison) refusal(o *Opening, of, other *collector) (nearest *said) {
	if s := of.refusals[o.at]; s != nil {
		return s
	}
	apart := func(s *said) time.Duration { return s.time.Sub(o.Time).Abs() }
	for _, s := range of.refused[o.at.who()] {
		if apart(s) <= m.within[o.Door] && other.refusals[s.at] == nil && (nearest == nil || apart(s) < apart(nearest)) {
			nearest = s
		}
	}
	if nearest != nil {
		m.told[nearest] = true
	}
	return nearest
}

// around returns the furthest attempt that ended in the time in which an opening was knocked.
func (c *collector) around(o *Opening, within time.Duration) (best miss, found bool) {
	for _, x := range c.misses[o.at.who()] {
		if apart := x.time.Sub(o.Time); apart.Abs() <= within && (!found || x.stage >= best.stage) {
			best, found = x, true
		}
	}
	return best, found
}

// mine tells of the last opening of an address.
func (m *comparison) mine(me netip.Addr) {
	m.Mine = &Mine{Source: me.String()}
	var last *Opening
	for _, o := range m.was.openings {
		if o.Source == m.Mine.Source && !o.Observed {
			last = o
		}
	}
	if last == nil {
		return
	}
	m.Mine.Door, m.Mine.Time = last.Door, last.Time
	m.Mine.Opens, m.Mine.Why = last.why == "", last.why
}
