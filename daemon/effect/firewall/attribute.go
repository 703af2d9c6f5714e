package firewall

import (
	"encoding/binary"
	"iter"
	"slices"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// Attributes are those of a message, or those inside one attribute. The methods take a path:
// each kind after the first is that of an attribute inside the one before. Of several
// attributes of one kind they see the first.
type attributes []netlink.Attribute

// parse returns the attributes that an attribute holds. There are none in one that the kernel
// cannot have written.
func parse(b []byte) attributes {
	if len(b) == 0 {
		return nil
	}
	all, _ := netlink.UnmarshalAttributes(b)
	return all
}

// bytes returns the value of an attribute. nil: there is none.
func (a attributes) bytes(path ...uint16) []byte {
	i := slices.IndexFunc(a, func(one netlink.Attribute) bool { return one.Type&^(netlink.Nested|netlink.NetByteOrder) == path[0] })
	switch {
	case i < 0:
		return nil
	case len(path) == 1:
		return a[i].Data
	}
	return parse(a[i].Data).bytes(path[1:]...)
}

// number returns a number of 4 or 8 bytes. 0: there is none.
func (a attributes) number(path ...uint16) uint64 {
	switch b := a.bytes(path...); len(b) {
	case 4:
		return uint64(binary.BigEndian.Uint32(b))
	case 8:
		return binary.BigEndian.Uint64(b)
	}
	return 0
}

func (a attributes) text(path ...uint16) string { return unix.ByteSliceToString(a.bytes(path...)) }

// list returns the attributes of each element of a list.
func (a attributes) list(path ...uint16) iter.Seq[attributes] {
	return func(yield func(attributes) bool) {
		for _, element := range parse(a.bytes(path...)) {
			if !yield(parse(element.Data)) {
				return
			}
		}
	}
}
