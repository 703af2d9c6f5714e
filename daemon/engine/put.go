package engine

import "net/netip"

// This file is what happens to the values of [Put].

func (o Put) check(e *Engine, c cause) (need, error) {
	if e.store.grows(c.owner, c.sourceOf(o), o, e.now) {
		return need{values: 1}, nil
	}
	return need{}, nil
}

// apply stores the value, and requests a record that survives a restart.
func (o Put) apply(e *Engine, c cause, _ *batch) {
	e.store.put(c.owner, c.sourceOf(o), o)
	e.persist(Record{Store: &o, Script: c.owner, Source: c.sourceOf(o)})
}

func (Put) impact() impact { return inside }

// sourceOf returns whose value o is: the source's, or invalid for one that all sources share.
func (c cause) sourceOf(o Put) netip.Addr {
	if o.PerSource {
		return c.source
	}
	return netip.Addr{}
}
