package engine

import (
	"fmt"
	"net/netip"
	"slices"
	"time"

	"sesame/daemon/packet"
)

// Allow lets the source reach ports for a while. It is legal in CallOpen and CallKnock alone:
// access follows a completed sequence, nothing else.
type Allow struct {
	Ports []packet.Port // empty: the door's guards
	TTL   time.Duration // zero: the door's
	// Bits4 and Bits6 widen the grant to a network around the source; zero means the address
	// alone.
	Bits4, Bits6 int
	// For gives the access to the source that completed another door instead. It must name one.
	For      Completion
	EndsWith Period // the access must not outlast it; nil: that of the door
}

func (o Allow) check(e *Engine, c cause) (need, error) {
	ports := o.Ports
	if len(ports) == 0 && c.door != nil {
		ports = c.door.Guards
	}
	switch {
	case c.kind != CallOpen && c.kind != CallKnock:
		return need{}, fmt.Errorf("allow: access can be given when a sequence is complete, and then only")
	case len(ports) == 0:
		return need{}, fmt.Errorf("allow: the door guards no port, so the port must be named")
	case c.door.Ports != nil && slices.ContainsFunc(o.Ports, c.door.excludes):
		return need{}, fmt.Errorf("allow: a port that is neither guarded nor among the door's ports")
	case o.Bits4 < 0 || o.Bits4 > 32 || o.Bits6 < 0 || o.Bits6 > 128:
		return need{}, fmt.Errorf("allow: a network of /%d or /%d does not exist", o.Bits4, o.Bits6)
	}
	source, err := e.receiver(o, c)
	if err != nil {
		return need{}, err
	}
	if _, err := e.windowEnd(c, o.EndsWith, 0); err != nil {
		return need{}, fmt.Errorf("allow: %w", err)
	}
	n := need{effects: len(ports)}
	for _, port := range ports {
		if e.grants.find(grantKey{source: source, port: port, observed: c.observes()}, c.name, c.source) == nil {
			n.grants++
		}
	}
	return n, nil
}

func (o Allow) apply(e *Engine, c cause, b *batch) {
	ports, ttl := o.Ports, o.TTL
	if len(ports) == 0 {
		ports = c.door.Guards
	}
	if ttl <= 0 {
		ttl = c.door.TTL
	}
	source, err := e.receiver(o, c)
	if err != nil { // check, in the same input, found it
		return
	}
	wanted := Grant{Source: source, TTL: ttl, Observed: c.observes(), Cut: c.door.Cut}
	wanted.WindowEnd, _ = e.windowEnd(c, o.EndsWith, ttl) // check found that there is no error
	for _, port := range ports {
		wanted.Port = port
		e.allow(c, b, wanted)
	}
}

func (Allow) impact() impact { return gives }

// receiver returns the network that o gives access to. Nobody can be given access whom the engine
// did not see completing a door.
func (e *Engine) receiver(o Allow, c cause) (netip.Prefix, error) {
	if o.For == (Completion{}) {
		return widen(c.source, o), nil
	}
	other := e.completer(o.For, c.observes())
	if !other.IsValid() {
		return netip.Prefix{}, fmt.Errorf("allow: nobody completed door %q within %v", o.For.Door, o.For.Within)
	}
	return widen(other, o), nil
}

// widen returns the network around a that o requests, or a alone.
func widen(a netip.Addr, o Allow) netip.Prefix {
	bits := o.Bits6
	if a.Is4() {
		bits = o.Bits4
	}
	if bits == 0 {
		return single(a)
	}
	return netip.PrefixFrom(a, bits).Masked()
}

// allow gives access to one port. If the same door gave it to the same knocker before, that
// grant is extended: its end moves to now + ttl, and never to an earlier time.
func (e *Engine) allow(c cause, b *batch, wanted Grant) {
	g, was := e.addOrExtendGrant(c, wanted)
	if g.isNetwork() {
		e.replaceWithin(g)
	}
	e.addEffect(b, Event{
		Kind: EventEffect, Effect: EffectAllow, Door: c.name, Source: g.Source,
		Grant: g.ID, Port: g.Port, TTL: g.TTL, Until: e.elementEnd(g.key),
	}, g, was)
}

// replaceWithin makes room for a grant to a network. The kernel refuses elements that overlap,
// so the narrower grants inside it lose theirs: those that end no later are closed, the others
// live on without an element until the wide one ends (see restoreElementsWithin). Grants of one
// key share an element, so each key is changed once.
func (e *Engine) replaceWithin(wide *grant) {
	changed := map[grantKey]bool{}
	for _, g := range e.grants.within(wide.Source, wide.Port) {
		switch {
		case !g.End.After(wide.End):
			e.endGrant(g, Replaced, 0)
		case !changed[g.key]:
			changed[g.key] = true
			e.updateElement(g)
		}
	}
}
