package simulate

import "sesame/daemon/packet"

// maxKinds is how many kinds of frames that cannot be read are counted by name. A capture that
// somebody made up could have thousands.
const maxKinds = 100

// otherKinds is the key for the kinds beyond maxKinds. Frames never carry it.
const otherKinds = ^packet.Kind(0)

// unreadable counts frames that may have an IP packet which cannot be read, by what they carry.
type unreadable map[packet.Kind]int

// add counts a frame that is not IP. It returns false when such frames never carry an IP packet, as
// those of ARP.
func (u unreadable) add(kind packet.Kind) bool {
	if !kind.Hides() {
		return false
	}
	if _, counted := u[kind]; !counted && len(u) >= maxKinds {
		kind = otherKinds
	}
	u[kind]++
	return true
}

// byName returns the counts by the names of the kinds, of which some may be equal; nil when there
// are none.
func (u unreadable) byName() map[string]int {
	var names map[string]int
	for kind, n := range u {
		if names == nil {
			names = map[string]int{}
		}
		names[KindName(kind)] += n
	}
	return names
}

// KindName returns the name of a key of [Report.Unreadable].
func KindName(kind packet.Kind) string {
	if kind == otherKinds {
		return "other"
	}
	return kind.String()
}

// decoder returns a decoder for captures.
func (c *Config) decoder() *packet.Decoder {
	d := packet.NewDecoder()
	d.Through(c.Decap)
	return d
}
