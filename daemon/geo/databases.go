package geo

import (
	"net/netip"
	"strings"

	"sesame/daemon/engine"
)

// Databases answer questions, as [engine.Facts]. The first that knows wins. The list must not
// change while it is used.
type Databases []*Database

// Answer implements [engine.Facts]. It allocates memory only when nothing is known.
func (all Databases) Answer(q engine.Question) engine.Answer {
	if q.Kind != engine.FactCountry && q.Kind != engine.FactASN {
		return engine.Answer{}
	}
	address := q.Address.Unmap().WithZone("")
	for _, d := range all {
		if !d.Has(q.Kind) || !d.covers(address) {
			continue
		}
		found := d.data.find(address, q.Kind)
		if q.Kind == engine.FactCountry && found.country != "" {
			return engine.Answer{Known: true, Country: found.country, From: d.name}
		}
		if q.Kind == engine.FactASN && found.asn != 0 {
			return engine.Answer{Known: true, ASN: found.asn, ASName: found.asName, From: d.name}
		}
	}
	return all.unknown(q.Kind, address)
}

// unknown says of each database why it does not know. Databases that are for something else are
// named only when no other is there.
func (all Databases) unknown(kind engine.FactKind, address netip.Addr) engine.Answer {
	relevant := all.which(func(d *Database) bool { return d.Has(kind) && d.covers(address) })
	if len(relevant) == 0 {
		relevant = all.which(func(d *Database) bool { return d.Has(kind) })
	}
	if len(relevant) == 0 {
		relevant = all
	}
	if len(relevant) == 0 {
		return engine.Answer{}
	}
	why := []string{relevant[0].why(kind, address)}
	for _, other := range relevant[1:] {
		why = append(why, other.name+": "+other.why(kind, address))
	}
	return engine.Answer{From: relevant[0].name, Why: strings.Join(why, "; ")}
}

func (all Databases) which(holds func(*Database) bool) (some Databases) {
	for _, d := range all {
		if holds(d) {
			some = append(some, d)
		}
	}
	return some
}

// why says why the database does not know a fact of an address.
func (d *Database) why(kind engine.FactKind, address netip.Addr) string {
	what, of := "countries", "country"
	if kind == engine.FactASN {
		what, of = "AS numbers", "AS number"
	}
	switch {
	case !d.Has(kind):
		return "it has no " + what
	case !d.covers(address) && address.Is6():
		return "it has no IPv6 addresses"
	case !d.covers(address):
		return "it has no IPv4 addresses"
	}
	switch found := d.data.find(address, kind); {
	case !found.there:
		return "it has no entry"
	case kind == engine.FactCountry && found.code != "":
		return "it says " + found.code + ", which is no country"
	}
	return "its entry has no " + of
}
