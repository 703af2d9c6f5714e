package geo

import (
	"strconv"
	"strings"

	"sesame/daemon/engine"
	"sesame/daemon/geo/country"
)

// A record has what is looked for in one record of a database. The slices are parts of the file.
type record struct {
	iso, code, country []byte // of country.iso_code, country_code, and country itself
	number             uint32 // autonomous_system_number
	inTraits           uint32 // the same below traits
	asn                []byte // "AS15169"
	name               []byte // of the AS, by whichever key
	first              []byte // the first key of the record, for messages
	steps              int    // how many fields were looked at
}

// maxSteps bounds the fields that are looked at in one record. Records of large databases have some
// hundred.
const maxSteps = 1 << 14

// everything takes the place of a kind of fact.
const everything engine.FactKind = 0

// read reads the record at an offset of the data section, until it has what a kind of fact needs.
// It looks at no more than maxSteps fields, whatever the file contains.
func (s records) read(offset int, kind engine.FactKind) (record, error) {
	var r record
	all := s.entries(offset, 0)
	for !r.enough(kind) && all.next() {
		if r.first == nil {
			r.first = all.key
		}
		r.steps = all.steps
		if err := r.take(s, all.key, all.value); err != nil {
			return r, err
		}
		all.steps = r.steps
	}
	r.steps = all.steps
	return r, all.err
}

// enough reports whether nothing that follows can change what the record says of a kind of fact.
func (r *record) enough(kind engine.FactKind) bool {
	return kind == engine.FactCountry && r.iso != nil || kind == engine.FactASN && r.number != 0 && r.name != nil
}

// take reads the value of a key, if it is one that is looked for. A value of another type is
// passed over: it means something else.
func (r *record) take(s records, key []byte, at int) (err error) {
	switch string(key) {
	case "country":
		return r.takeCountry(s, at)
	case "country_code":
		r.code, err = s.text(at)
	case "autonomous_system_number":
		r.number, err = s.number(at)
	case "asn":
		r.asn, err = s.text(at)
	case "autonomous_system_organization", "as_name":
		r.name, err = s.text(at)
	case "traits":
		return r.takeTraits(s, at)
	}
	return err
}

// takeCountry reads a map with a code, or a code or name.
func (r *record) takeCountry(s records, at int) (err error) {
	if r.country, err = s.text(at); r.country != nil || err != nil {
		return err
	}
	all := s.entries(at, r.steps)
	for all.next() {
		if string(all.key) != "iso_code" {
			continue
		}
		if r.iso, err = s.text(all.value); err != nil {
			return err
		}
	}
	r.steps = all.steps
	return all.err
}

func (r *record) takeTraits(s records, at int) (err error) {
	all := s.entries(at, r.steps)
	for all.next() {
		switch string(all.key) {
		case "autonomous_system_number":
			r.inTraits, err = s.number(all.value)
		case "autonomous_system_organization":
			if r.name == nil {
				r.name, err = s.text(all.value)
			}
		}
		if err != nil {
			return err
		}
	}
	r.steps = all.steps
	return all.err
}

// entry decides what a record says: country.iso_code as MaxMind and DB-IP have it, else
// country_code as ip-location-db and IPinfo Lite have it, else a country of two letters. A
// registered_country is where the network was registered, not where it is. The AS is
// autonomous_system_number, else the same below traits, else asn as IPinfo has it.
func (r *record) entry() entry {
	e := entry{there: true}
	text := r.iso
	switch {
	case text != nil:
	case r.code != nil:
		text = r.code
	case len(r.country) == 2:
		text = r.country
	}
	if e.country = country.Code(string(text)); e.country == "" && text != nil {
		e.code = strconv.Quote(plain(string(text)))
	}
	switch {
	case r.number != 0:
		e.asn = r.number
	case r.inTraits != 0:
		e.asn = r.inTraits
	default:
		e.asn = asNumber(r.asn)
	}
	if e.asn != 0 && len(r.name) > 0 {
		e.asName = plain(string(r.name[:min(len(r.name), 4*maxShown)]))
	}
	return e
}

// asNumber reads "AS15169". It is 0 for another text.
func asNumber(text []byte) uint32 {
	digits, ok := strings.CutPrefix(string(text[:min(len(text), 16)]), "AS")
	if !ok {
		return 0
	}
	n, err := strconv.ParseUint(digits, 10, 32)
	if err != nil {
		return 0
	}
	return uint32(n)
}
