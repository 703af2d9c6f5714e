package attack

import (
	"context"
	"slices"
	"time"

	"sesame/daemon/engine"
	"sesame/daemon/packet"
	"sesame/simulate"
	"sesame/simulate/craft"
)

// A Scanner runs a scan of a target, with one seed after another. It is not safe for concurrent
// use.
type Scanner struct {
	target Target
	scan   Scan
	places *places
	strict bool // some door is disturbed by packets to any port
	tally  *tally
	events func([]engine.Event) // gets the events of runs

	session *simulate.Session // of the run
	sender  craft.Sender
	sent    int           // packets of the run
	ports   []packet.Port // of the sweep, by position, when the set is strict
}

// NewScanner returns a scanner.
func NewScanner(t Target, s Scan) *Scanner {
	t.Set = t.Set.Placed()
	counts := newTally(t.Set)
	return &Scanner{
		target: t, scan: s, places: newPlaces(&s, matter(t.Set, s.Flags)), tally: counts, events: counts.add,
		strict: slices.ContainsFunc(t.Set.Doors, func(d *engine.Door) bool { return d.Strict }),
	}
}

// matter returns the ports that change something when a scan sends a packet there, whatever was
// sent before: the filter rejects packets to all others, unless a door is strict.
func matter(set *engine.Set, flags packet.Flags) (ports []packet.Port) {
	interest := set.Interest()
	if interest.AnyFlags || engine.SYN.Holds(flags) {
		for _, number := range interest.TCP {
			ports = append(ports, packet.Port{Proto: packet.TCP, Number: number})
		}
	}
	for _, number := range interest.UDP {
		ports = append(ports, packet.Port{Proto: packet.UDP, Number: number})
	}
	return ports
}

// Run runs the scan with a seed. The error is that of ctx.
func (s *Scanner) Run(ctx context.Context, seed uint64) (Outcome, error) {
	s.begin()
	for sweep := range s.scan.Times {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		places := s.places.of(seed, sweep)
		if s.strict {
			s.ports = s.places.every(seed, sweep)
		}
		done := 0
		for _, p := range places {
			s.pass(done, p.position)
			s.send(p.port)
			done = p.position + 1
		}
		s.pass(done, s.scan.Sweep())
	}
	return s.tally.outcome(), nil
}

// begin begins a run.
func (s *Scanner) begin() {
	t := &s.target
	s.tally.start(t.Begin)
	s.session = simulate.NewSession(simulate.SessionConfig{
		Set: t.Set, Begin: t.Begin, Local: t.Local, Facts: t.Facts, Events: s.events,
	})
	s.sender, s.sent = craft.Sender{}, 0
}

// pass sends the packets of a sweep from one position to another, without that. None of them is to
// a port that matters. So they change nothing but attempts at strict doors, and are only counted
// when there is no attempt.
func (s *Scanner) pass(from, to int) {
	for s.strict && from < to && s.session.InProgress() {
		s.send(s.ports[from])
		from++
	}
	if from < to {
		s.sent += to - from
		s.sender.Skip(to - from)
		_ = s.session.Unwatched(to-from, s.time(s.sent-1)) // nobody is asked before, who could refuse
	}
}

// send sends the next packet.
func (s *Scanner) send(port packet.Port) {
	p := s.packet(port)
	_ = s.session.Packet(&packet.Packet{ // as above
		Time: s.time(s.sent), Number: s.sent + 1,
		Source: p.Source, Dest: p.Dest, SourcePort: p.SourcePort, Port: p.Port, Flags: p.Flags, Sequence: p.Sequence,
	})
	s.sent++
}

// packet returns the next packet of the sender.
func (s *Scanner) packet(port packet.Port) craft.Packet {
	knock := craft.Knock{Port: port}
	if port.Proto == packet.TCP {
		knock.Flags = s.scan.Flags
	}
	return s.sender.Packet(s.target.Source, s.target.Dest, knock)
}

// time returns when packet i is sent. The first is 0.
func (s *Scanner) time(i int) time.Time { return s.target.Begin.Add(s.scan.After(i)) }

// Capture returns the packets of a run as a capture file has them.
func (s *Scanner) Capture(seed uint64) (*craft.File, error) {
	file := craft.NewFile(packet.Raw)
	s.sender = craft.Sender{}
	for sweep := range s.scan.Times {
		for _, port := range s.places.every(seed, sweep) {
			if err := file.Add(s.time(len(file.Frames)), s.packet(port)); err != nil {
				return nil, err
			}
		}
	}
	return file, nil
}
