package split

import (
	"net/netip"
	"slices"
	"time"

	"sesame/daemon/packet"
)

// An Opening is a grant that a door gave.
type Opening struct {
	Source netip.Addr   // who knocked
	Access netip.Prefix // who may connect: the source, or a network around it
	Door   string
	Port   packet.Port
	At     time.Time
	Used   bool // somebody connected with it
}

// A Refused is a source that a guard refused at a port.
type Refused struct {
	Source  netip.Addr
	Port    packet.Port
	Packets uint64
	Last    time.Time // of the last packet
}

// A Connection is a refused source that is probably the client of an opening.
type Connection struct {
	Opening Opening
	Refused Refused
}

// OtherFamily reports whether the knock came over one address family and the connection over the
// other.
func (c *Connection) OtherFamily() bool { return otherFamily(c.Opening.Source, c.Refused.Source) }

// How long after an opening a refused source may be its client. Scanners try the ports of services
// all day long over IPv4, so time is short there, unless the addresses are neighbours.
const (
	soon  = 15 * time.Second
	later = time.Minute
)

// tick is how far the time of a refused packet may be too early. It is found from what remains of a
// timeout, which the kernel counts in jiffies: of 10 ms at most.
const tick = 10 * time.Millisecond

// mostPackets is what a person's client sends in a few tries. Who sends more was not turned away by
// mistake.
const mostPackets = 20

// Connections joins openings with refused sources: the client of an opening that nobody used, and
// the only source that fits it. Both lists must be bounded by the caller: it compares each with
// each. The result has the order of refused.
func Connections(openings []Opening, refused []Refused) []Connection {
	var all []Connection
	for _, r := range refused {
		if o, ok := openingOf(openings, r); ok && onlyOne(openings, refused, o, r) {
			all = append(all, Connection{o, r})
		}
	}
	return all
}

// openingOf returns the opening whose client a refused source may be. There is none when several
// sources opened: any of them may be the client.
func openingOf(openings []Opening, r Refused) (found Opening, ok bool) {
	for _, o := range openings {
		switch {
		case !fits(openings, o, r):
		case !ok || o.Source == found.Source && o.At.After(found.At):
			found, ok = o, true
		case o.Source == found.Source:
		case Near(o.Source, r.Source) == Near(found.Source, r.Source):
			return Opening{}, false
		case Near(o.Source, r.Source):
			found = o
		}
	}
	return found, ok
}

// onlyOne reports whether no other refused source of the same family fits an opening as well.
func onlyOne(openings []Opening, refused []Refused, o Opening, r Refused) bool {
	return !slices.ContainsFunc(refused, func(other Refused) bool {
		return other.Source != r.Source && other.Source.Is4() == r.Source.Is4() && fits(openings, o, other) &&
			(Near(o.Source, other.Source) || !Near(o.Source, r.Source))
	})
}

// fits reports whether a refused source may be the client of an opening.
func fits(openings []Opening, o Opening, r Refused) bool {
	after := r.Last.Sub(o.At)
	if o.Used || o.Port != r.Port || o.Access.Contains(r.Source) || r.Packets > mostPackets || after < -tick || after > patience(o, r) {
		return false
	}
	// A client that knocked over both families, as knock does, has an opening over each. And who
	// opened the port was turned away for another reason, such as the end of the grant.
	return !slices.ContainsFunc(openings, func(other Opening) bool {
		bothFamilies := o.Source.Is4() != r.Source.Is4() && other.Source.Is4() == r.Source.Is4() && other.At.Sub(o.At).Abs() <= later
		return other.Port == r.Port && (other.Source == r.Source || bothFamilies)
	})
}

// patience returns the longest time between an opening and the connection of its client.
func patience(o Opening, r Refused) time.Duration {
	if Near(o.Source, r.Source) || o.Source.Is4() && r.Source.Is6() {
		return later
	}
	return soon
}
