package attack

import (
	"net/netip"
	"slices"

	"sesame/daemon/engine"
	"sesame/daemon/packet"
	"sesame/simulate"
)

// An Opening is a knock that opened a door, as it was captured.
type Opening struct {
	Door    string
	Source  netip.Addr
	Packets []packet.Packet // its knocks, in order

	before []packet.Packet // all that came before the last of them, without them
	doors  []string        // all that its knocks opened
}

// Openings finds the first opening of each door among packets in the order of their times, such as
// those of [simulate.Mattered].
func Openings(t Target, packets []packet.Packet) (all []Opening) {
	if len(packets) == 0 {
		return nil
	}
	f := &openingFinder{knocks: map[attempt][]int{}, opened: map[string]bool{}, by: map[int][]string{}}
	session := t.session(packets[0], f.add)
	for i := range packets {
		f.at = i
		give(session, packets[i], i+1)
	}
	for _, o := range f.found {
		all = append(all, f.opening(o, packets))
	}
	return all
}

// Knowing returns the target with what is known beside the packets of a capture: the addresses of
// the host, where none were given, and answers where nobody else has one.
func (t Target) Knowing(m *simulate.Mattered) Target {
	if t.Local == nil {
		t.Local = m.Local
	}
	known := remembered{given: t.Facts, answers: map[engine.Question]engine.Answer{}}
	for _, one := range m.Facts {
		known.answers[one.Question] = one.Answer
	}
	t.Facts = known
	return t
}

// remembered answers as was given, and else as was remembered.
type remembered struct {
	given   engine.Facts // nil: nothing was given
	answers map[engine.Question]engine.Answer
}

// Answer implements [engine.Facts].
func (r remembered) Answer(q engine.Question) (a engine.Answer) {
	if r.given != nil {
		a = r.given.Answer(q)
	}
	if one, some := r.answers[q]; some && !a.Known {
		return one
	}
	return a
}

// session returns a session that begins with a packet.
func (t *Target) session(first packet.Packet, events func([]engine.Event)) *simulate.Session {
	return simulate.NewSession(simulate.SessionConfig{
		Set: t.Set, Begin: first.Time, Local: t.Local, Facts: t.Facts, Events: events,
	})
}

// give gives a packet to a session, with another number.
func give(s *simulate.Session, p packet.Packet, number int) {
	p.Number, p.Capture = number, 0
	_ = s.Packet(&p) // nobody is asked before, who could refuse
}

type attempt struct {
	door   string
	source netip.Addr
}

// found is an opening, by the positions of its knocks.
type found struct {
	attempt
	knocks []int
}

// An openingFinder collects which packets were the knocks of openings.
type openingFinder struct {
	at     int // the packet at hand
	knocks map[attempt][]int
	opened map[string]bool
	by     map[int][]string // the doors that a packet opened
	found  []found
}

func (f *openingFinder) add(events []engine.Event) {
	for i := range events {
		e := &events[i]
		a := attempt{e.Door, e.Source.Addr()}
		switch {
		case e.Kind == engine.EventStage:
			done := f.knocks[a]
			f.knocks[a] = append(done[:min(len(done), e.Stage-1)], f.at)
		case e.Kind == engine.EventOpen && e.Packet > 0:
			f.open(a)
		}
	}
}

// open notes an opening. A listener has no stages.
func (f *openingFinder) open(a attempt) {
	f.by[f.at] = append(f.by[f.at], a.door)
	if f.opened[a.door] {
		return
	}
	f.opened[a.door] = true
	knocks := f.knocks[a]
	if len(knocks) == 0 || knocks[len(knocks)-1] != f.at {
		knocks = []int{f.at}
	}
	f.found = append(f.found, found{a, slices.Clone(knocks)})
}

// opening returns an opening with its packets.
func (f *openingFinder) opening(o found, packets []packet.Packet) Opening {
	one := Opening{Door: o.door, Source: o.source}
	for i := range o.knocks[len(o.knocks)-1] + 1 {
		if !slices.Contains(o.knocks, i) {
			one.before = append(one.before, packets[i])
			continue
		}
		one.Packets = append(one.Packets, packets[i])
		one.doors = append(one.doors, f.by[i]...)
	}
	return one
}
