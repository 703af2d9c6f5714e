package draft

import (
	"errors"
	"net/netip"
	"time"

	"sesame/daemon/engine"
	"sesame/daemon/packet"
	"sesame/simulate"
	"sesame/simulate/craft"
)

// An event is what a test expects: one that it must name, or access.
type event struct {
	key       string // of a step, such as "opens"
	door      string
	source    netip.Prefix
	reason    string
	condition string
	port      packet.Port   // of allows
	ttl       time.Duration // of allows
	command   string        // of runs
	undo      bool
	at        time.Time
}

// like reports whether two events are the same, at whatever time. A grant that ends with a window
// lasts a little longer when the knocks come a little earlier.
func (e event) like(other event) bool {
	if (e.ttl - other.ttl).Abs() < time.Second {
		e.ttl, other.ttl = 0, 0
	}
	e.at, other.at = time.Time{}, time.Time{}
	return e == other
}

// eventOf returns an event of the engine as tests name it. False: they do not, or need not.
func (d *drafter) eventOf(e *engine.Event) (event, bool) {
	one := event{door: e.Door, source: e.Source, at: e.Time}
	switch e.Kind {
	case engine.EventOpen:
		one.key = "opens"
	case engine.EventRefuse:
		one.key, one.condition = "refuses", e.Condition
		if e.Reason != engine.When {
			one.reason = string(e.Reason)
		}
	case engine.EventMiss:
		one.key, one.reason = "misses", string(e.Reason)
	case engine.EventClose:
		one.key, one.reason = "closes", string(e.Reason)
	case engine.EventError, engine.EventFailed:
		one.key = "fails"
	case engine.EventEffect:
		if e.Effect == engine.EffectAllow {
			one.key, one.port, one.ttl = "allows", e.Port, e.TTL
			return one, true
		}
		return d.runOf(one, e)
	case engine.EventStage:
		return one, false
	}
	return one, true
}

// runOf returns the run of a command that has a name.
func (d *drafter) runOf(one event, e *engine.Event) (event, bool) {
	if e.Effect != engine.EffectExec && e.Effect != engine.EffectUndo || e.Argv == nil || d.Command == nil {
		return one, false
	}
	command, _ := d.Command(e.Argv)
	if command == nil || command.Name == "" {
		return one, false
	}
	one.key, one.command, one.undo = "runs", command.Name, e.Effect == engine.EffectUndo
	return one, true
}

// A player gives packets to an engine as a test does.
type player struct {
	session *simulate.Session
	host    []netip.Addr
	sender  craft.Sender
	number  int
	timers  int
	events  []event
	stopped func() error
}

func (d *drafter) player(begin time.Time) *player {
	p := &player{host: d.hosts(), stopped: d.stopped}
	p.session = simulate.NewSession(simulate.SessionConfig{
		Set: d.Set, Begin: begin, Local: d.local(), Facts: answers(d.facts),
		Before: p.before,
		Events: func(events []engine.Event) {
			for i := range events {
				if one, named := d.eventOf(&events[i]); named {
					p.events = append(p.events, one)
				}
			}
		},
	})
	return p
}

// hosts returns the single addresses of the host: a test cannot name networks behind it.
func (d *drafter) hosts() (hosts []netip.Addr) {
	for _, prefix := range d.Local {
		if prefix.IsSingleIP() {
			hosts = append(hosts, prefix.Addr())
		}
	}
	return hosts
}

func (d *drafter) local() (local []netip.Prefix) {
	for _, address := range d.hosts() {
		local = append(local, netip.PrefixFrom(address, address.BitLen()))
	}
	return local
}

// take returns what happened since the last call.
func (p *player) take() []event {
	events := p.events
	p.events = nil
	return events
}

// send sends a packet at its time.
func (p *player) send(s sent) error {
	dest := craft.HostFor(s.source)
	for _, host := range p.host {
		if host.Is4() == s.source.Is4() {
			dest = host
			break
		}
	}
	one := p.sender.Packet(s.source, dest, craft.Knock{Port: s.port, Flags: s.flags, Payload: []byte(s.payload)})
	frame, err := one.Frame(packet.Raw)
	if err != nil {
		return err
	}
	p.number++
	return p.session.Frame(s.at, p.number, packet.Raw, frame)
}

// maxTimers bounds the timers that fire in one run: scripts can set some without end.
const maxTimers = 100_000

func (p *player) before(_, timers int) error {
	if p.timers += timers; p.timers > maxTimers {
		return errors.New("the scripts do something without end, so no test can wait for that")
	}
	return p.stopped()
}

// until lets time pass.
func (p *player) until(at time.Time) error { return p.session.Until(at) }

// longest is how long behind the last packet something may happen that a test expects.
const longest = 24 * time.Hour

// rest lets time pass until all has happened.
func (p *player) rest() error { return p.until(p.session.Now().Add(longest)) }

// run runs the steps as a test does, and notes in them what happens.
func (d *drafter) run(steps []step) (came []event, err error) {
	p := d.player(steps[0].begin)
	next := steps[0].begin
	for i := range steps {
		s := &steps[i]
		for _, one := range s.packets {
			if one.at = p.session.Now(); next.After(one.at) {
				one.at = next
			}
			if err := p.send(one.sent); err != nil {
				return nil, err
			}
			next = one.at.Add(one.delay)
		}
		if s.rest {
			s.begin = p.session.Now()
			err = p.rest()
		} else {
			err = p.until(p.session.Now().Add(s.wait))
		}
		if err != nil {
			return nil, err
		}
		s.events = p.take()
		came = append(came, s.events...)
	}
	return came, nil
}

// answers are the facts of a test.
type answers []engine.Asked

// Answer implements [engine.Facts]. What nobody asked in the capture is not known.
func (a answers) Answer(q engine.Question) engine.Answer {
	for _, one := range a {
		if one.Question == q {
			return one.Answer
		}
	}
	return engine.Answer{}
}
