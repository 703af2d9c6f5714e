package scripting

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/yuin/gopher-lua"

	"sesame/daemon/geo/country"
	"sesame/daemon/packet"
	"sesame/scripting/condition"
	"sesame/scripting/spec"
)

// address reads one address. An IPv4-mapped one becomes IPv4.
func (v value) address() (netip.Addr, bool) {
	return parsed(v, `an address such as "203.0.113.9"`, parseTarget)
}

// knocker reads the address of somebody who knocks.
func (v value) knocker() netip.Addr {
	address, ok := v.address()
	if ok && !packet.Foreign(address) {
		v.fail("%s cannot knock: no packet from outside has this source, and one that has it is never a knock", address)
	}
	return address
}

// addresses reads one address, or a list of them, which may be empty.
func (v value) addresses() (list []netip.Addr, good bool) {
	items, good := []value{v}, true
	if _, ok := v.lua.(*lua.LTable); ok {
		items, good = v.items("an address, or a list of addresses")
	}
	list = []netip.Addr{}
	for _, item := range items {
		address, ok := item.address()
		list, good = append(list, address), good && ok
	}
	return list, good
}

// network reads an address or a network.
func (v value) network() (netip.Prefix, bool) {
	return parsed(v, `an address or a network such as "203.0.113.0/24"`, packet.ParseNetwork)
}

// facts reads what is known of addresses, networks and names of hosts. Each can stand there once,
// however it is written.
func (s *script) facts(v value) []spec.Fact {
	var facts []spec.Fact
	v.named(`a table such as { ["203.0.113.9"] = { country = "ES" } }`, func(subject string, v value) {
		s.state.Charge(int64(1+len(facts)/16), entryBytes)
		fact, ok := s.fact(subject, v)
		if slices.ContainsFunc(facts, func(other spec.Fact) bool { return other.Network == fact.Network && other.Host == fact.Host }) {
			v.fail("it stands twice in facts")
		} else if ok {
			facts = append(facts, fact)
		}
	})
	return facts
}

// fact reads what is known of one address, network or host.
func (s *script) fact(subject string, v value) (spec.Fact, bool) {
	f := spec.Fact{Place: v.at}
	network, err := packet.ParseNetwork(subject)
	if err == nil {
		f.Network = network
		d := &factDraft{f, v}
		ok := read(v, factOptions(), nil, d)
		if d.ASName != "" && d.ASN == 0 {
			v.fail("asn_name needs asn beside it, such as asn = 3352")
		}
		return d.Fact, ok
	}
	if last := subject[strings.LastIndexByte(subject, '.')+1:]; strings.ContainsAny(subject, ":/") || strings.Trim(last, "0123456789") == "" {
		v.fail("%v", err) // no name of a host ends in a number
		return f, false
	}
	if f.Host, err = condition.ParseHost(subject); err != nil {
		v.fail("%v; or an address or a network", err)
		return f, false
	}
	var ok bool
	f.Addresses, ok = v.addresses()
	return f, ok
}

// A factDraft is a fact of a network while its table is read.
type factDraft struct {
	spec.Fact
	of value
}

func factOptions() []option[factDraft] {
	return []option[factDraft]{
		{Option{"country", "a code of two letters", "not known", "The country that a database has, as ISO 3166-1 writes it."},
			func(v value, d *factDraft) {
				d.Country, _ = parsed(v, `a code of a country such as "ES"`, country.Parse)
			}},
		{Option{"asn", "a number", "not known", "The number of the autonomous system, such as `3352` or `\"AS3352\"`."},
			func(v value, d *factDraft) {
				if n, ok := v.lua.(lua.LNumber); ok {
					v.lua = lua.LString(numberText(n))
				}
				d.ASN, _ = parsed(v, `an AS number such as 3352 or "AS3352"`, country.ParseASN)
			}},
		{Option{"asn_name", "a string", "", "The name of the autonomous system. It needs `asn`."},
			func(v value, d *factDraft) { d.ASName, _ = readName(v) }},
	}
}
