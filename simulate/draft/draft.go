// Package draft turns what mattered of captures into the text of a test.
//
// The test sends the same knocks and expects what came of them. Its times are rounded, and knocks
// become the name of their door, where the same happens all the same: each step towards a text that
// a person reads is tried.
package draft

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"sesame/daemon/engine"
	"sesame/daemon/packet"
	"sesame/scripting"
	"sesame/scripting/spec"
	"sesame/simulate"
)

// A Config says what a test is made of. It needs Set, Mattered and Name.
type Config struct {
	Set      *scripting.Set // that nobody else uses meanwhile
	Mattered *simulate.Mattered
	Name     string         // of the test
	Comment  string         // that stands above the test; "": none
	Local    []netip.Prefix // the addresses of the host; nil: every destination counts
	// Options are the values of the options of the scripts, and Lists those that are lists.
	Options map[string]string
	Lists   map[string]bool
	// Replace makes other addresses stand for those of the sources: addresses for documentation.
	// One stays where another would change what happens.
	Replace bool
}

// A Draft is the text of a test.
type Draft struct {
	Text string
	// Stayed are the addresses that were not replaced, since something else would happen.
	Stayed []netip.Addr
}

// A sent is a packet of a test.
type sent struct {
	at      time.Time
	source  netip.Addr
	port    packet.Port
	flags   packet.Flags
	payload string
}

// A drafter makes the text of one test.
type drafter struct {
	Config
	facts  []engine.Asked
	sent   []sent
	stayed []netip.Addr
}

// Write returns a test. It fails when nothing mattered, when there is too much for one test, and
// with the error of ctx.
func Write(ctx context.Context, c Config) (*Draft, error) {
	if len(c.Mattered.Packets) == 0 {
		return nil, errors.New("nothing in it was a knock: a test of it would only say that nothing happens")
	}
	d := &drafter{Config: c, facts: c.Mattered.Facts}
	for i := range c.Mattered.Packets {
		p := &c.Mattered.Packets[i]
		one := sent{at: p.Time, source: p.Source, port: p.Port, flags: p.Flags}
		if d.reads(p.Port) {
			one.payload = string(p.Payload)
		}
		d.sent = append(d.sent, one)
	}
	if c.Replace {
		if err := d.replace(ctx); err != nil {
			return nil, err
		}
	}
	test, err := d.best(ctx)
	if err != nil {
		return nil, err
	}
	return &Draft{Text: d.text(test), Stayed: d.stayed}, nil
}

// reads reports whether a door may look at the payloads of packets to a port.
func (d *drafter) reads(port packet.Port) bool {
	return slices.ContainsFunc(d.Set.Engine.Doors, func(door *engine.Door) bool {
		if door.Payload == nil && door.Handler == nil && len(door.When) == 0 {
			return false
		}
		return knocksAt(door, port)
	})
}

// knocksAt reports whether a port is one of the knocks of a door.
func knocksAt(door *engine.Door, port packet.Port) bool {
	for k := range door.Knocks() {
		if k.Port == port {
			return true
		}
	}
	return false
}

// best returns the test that reads best of those that bring about what the packets did.
func (d *drafter) best(ctx context.Context) (*spec.Test, error) {
	groups, want, err := d.group(ctx)
	if err != nil {
		return nil, err
	}
	if len(groups) > maxSteps {
		return nil, fmt.Errorf("the test would have more than %d steps: choose a source with --source, or replay the capture in a test", maxSteps)
	}
	for _, shape := range []shape{{time.Millisecond, true}, {time.Millisecond, false}, {1, false}} {
		test := d.shaped(groups, shape)
		came, err := d.run(ctx, test)
		if err != nil {
			return nil, err
		}
		if alike(want, came) {
			return test, nil
		}
	}
	return nil, errors.New("a test cannot send what the capture has so that the same happens: replay the capture in a test")
}

// maxSteps and maxPackets are as many as a test and a step can have.
const maxSteps, maxPackets = 1000, 1000

// A group is the packets of one source that become a step.
type group struct {
	packets []sent
	gap     time.Duration // until the first of the next group; 0: there is none
	silent  bool          // nothing happens in the gap
}

// group splits the packets where the source changes, and behind each that brought something about.
// It also returns all that came.
func (d *drafter) group(ctx context.Context) (groups []group, came *spec.Step, err error) {
	p := d.player(ctx, d.sent[0].at)
	closed := true
	for i, s := range d.sent {
		if i > 0 {
			gap := spec.Step{At: s.at}
			if now := p.Now(); now.After(s.at) {
				gap.At = now // a step before it sent a packet at the same time
			}
			if _, err := p.play(ctx, &gap); err != nil {
				return nil, nil, err
			}
			last := &groups[len(groups)-1]
			if last.silent = nothing(&gap); !last.silent || s.source != last.packets[0].source || len(last.packets) == maxPackets {
				closed = true
			}
			if closed {
				last.gap = s.at.Sub(d.sent[i-1].at)
			}
		}
		if closed {
			groups = append(groups, group{silent: true})
		}
		last := &groups[len(groups)-1]
		last.packets = append(last.packets, s)
		one := s.step()
		if _, err := p.play(ctx, &one); err != nil {
			return nil, nil, err
		}
		closed = !nothing(&one)
	}
	_, err = p.play(ctx, &spec.Step{Wait: longest})
	return groups, &p.came, err
}
