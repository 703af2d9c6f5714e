package engine

import (
	"time"

	"sesame/daemon/packet"
	"sesame/daemon/wire"
)

// This file converts grants, records and values to their wire form, and back.

// Wire returns the grant as plain data. Any grant is accepted: see [wire.Grant.Check].
func (g *Grant) Wire() wire.Grant {
	return wire.Grant{
		ID: g.ID, Door: wire.Text(g.Door), By: g.By, Source: g.Source, Port: wire.Port(g.Port),
		Argv: wire.Convert[wire.Text](g.Argv), Undo: wire.Convert[wire.Text](g.Undo), Timeout: g.Timeout, AnyStatus: g.AnyStatus, Shared: g.Shared,
		TTL: g.TTL, End: wire.Nanoseconds(g.End), WindowEnd: instant(g.WindowEnd), TTLEnd: instant(g.TTLEnd), Observed: g.Observed,
		Cut: g.Cut,
	}
}

// grantFrom is the opposite of [Grant.Wire]. The caller has checked w.
func grantFrom(w *wire.Grant) Grant {
	return Grant{
		ID: w.ID, Door: string(w.Door), By: w.By, Source: w.Source, Port: packet.Port(w.Port),
		Argv: wire.Convert[string](w.Argv), Undo: wire.Convert[string](w.Undo), Timeout: w.Timeout, AnyStatus: w.AnyStatus, Shared: w.Shared,
		TTL: w.TTL, End: wire.Time(w.End), WindowEnd: timeOf(w.WindowEnd), TTLEnd: timeOf(w.TTLEnd), Observed: w.Observed,
		Cut: w.Cut,
	}
}

// Wire returns the sequence as plain data.
func (c Consumed) Wire() wire.Consumed {
	return wire.Consumed{File: wire.Text(c.File), Line: wire.Text(c.Line)}
}

// Wire returns the record as plain data. It is an error when [RecordFrom] would refuse the
// result.
func (r *Record) Wire() (wire.Record, error) {
	w := wire.Record{Ended: r.Ended}
	if r.Grant != nil {
		g := r.Grant.Wire()
		w.Grant = &g
	}
	if r.Consumed != nil {
		c := r.Consumed.Wire()
		w.Consumed = &c
	}
	if r.Store != nil {
		value, err := wire.EncodeScalar(r.Store.Value)
		if err != nil {
			return w, err
		}
		until := int64(wire.Forever)
		if !r.Store.Until.IsZero() {
			until = wire.Nanoseconds(r.Store.Until)
		}
		v := valueOf(storeKey{r.Script, r.Source, r.Store.Key}, value, until)
		w.Value = &v
	}
	return w, w.Check()
}

// valueOf returns a stored value as plain data.
func valueOf(key storeKey, value wire.Scalar, until int64) wire.Value {
	if until == wire.Forever {
		until = 0
	}
	return wire.Value{Script: wire.Text(key.script), Source: key.source, Key: wire.Text(key.key), Value: value, Until: until}
}

// RecordFrom is the opposite of [Record.Wire]. It checks w, which may come from a stranger's
// file.
func RecordFrom(w *wire.Record) (Record, error) {
	if err := w.Check(); err != nil {
		return Record{}, err
	}
	r := Record{Ended: w.Ended}
	switch {
	case w.Grant != nil:
		g := grantFrom(w.Grant)
		r.Grant = &g
	case w.Consumed != nil:
		r.Consumed = &Consumed{File: string(w.Consumed.File), Line: string(w.Consumed.Line)}
	default:
		v := w.Value
		value, err := wire.DecodeScalar(v.Value)
		if err != nil {
			return Record{}, err
		}
		r.Script, r.Source = string(v.Script), v.Source
		r.Store = &Put{PerSource: v.Source.IsValid(), Key: string(v.Key), Value: value, Until: expiry(v)}
	}
	return r, nil
}

// expiry returns when a value expires, the zero time when it does not.
func expiry(v *wire.Value) time.Time {
	if v.Expires() == wire.Forever {
		return time.Time{}
	}
	return wire.Time(v.Until)
}

// scalar returns a value of a script as plain data. Scripts have only values that can be encoded.
func scalar(value any) wire.Scalar {
	s, _ := wire.EncodeScalar(value)
	return s
}
