package simulate

import (
	"fmt"

	"sesame/daemon/packet"
	"sesame/daemon/transcript"
)

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

// An unjudged counts the frames of a capture of which it is not known whether they are knocks.
type unjudged struct {
	frames int // all, with those that never carry an IP packet, as those of ARP
	hiding int // that may have an IP packet which cannot be read, or are in a tunnel
	cut    int // whose headers the capture cuts short
}

// unread returns an error for a capture of which no frame could be judged, though some may be
// knocks.
func (u unjudged) unread(name string, frames int) error {
	if u.frames < frames || u.hiding+u.cut == 0 {
		return nil
	}
	err := fmt.Errorf("%s: none of its %s can be read", name, transcript.Count(frames, "packet"))
	if u.cut > 0 {
		return fmt.Errorf("%w; %s cut short: record with tcpdump -s 0", err, transcript.Count(u.cut, "packet"))
	}
	return err
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
