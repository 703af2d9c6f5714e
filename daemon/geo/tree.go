package geo

import (
	"encoding/binary"
	"errors"
	"slices"
	"strings"
)

// A tree is the search tree of a file in MaxMind's format. It has count nodes. A node has two
// records, for the next bit 0 and 1 of an address. A record below count is the number of a node.
// count itself means that there is nothing. A record above is the offset of data, plus count and
// the size of the separator.
type tree struct {
	nodes []byte
	count uint
	bits  uint // of a record: 24, 28 or 32
}

// node returns both records of a node.
func (t tree) node(n uint) [2]uint {
	size := t.bits / 4
	b := t.nodes[n*size : (n+1)*size]
	switch t.bits {
	case 24:
		return [2]uint{uint(b[0])<<16 | uint(b[1])<<8 | uint(b[2]), uint(b[3])<<16 | uint(b[4])<<8 | uint(b[5])}
	case 28: // the byte in the middle has the four highest bits of both
		return [2]uint{uint(b[3]>>4)<<24 | uint(b[0])<<16 | uint(b[1])<<8 | uint(b[2]),
			uint(b[3]&15)<<24 | uint(b[4])<<16 | uint(b[5])<<8 | uint(b[6])}
	}
	return [2]uint{uint(binary.BigEndian.Uint32(b)), uint(binary.BigEndian.Uint32(b[4:]))}
}

// A verifier looks at all that look-ups can reach, once: each node of the tree, each record that
// the tree names, each field of the data section. It collects what the file is for.
type verifier struct {
	tree    tree
	records records

	country, asn bool // some record has one
	ipv4, ipv6   bool // some address of the family has a record

	heights []uint8  // of the tree below each node; 0: not visited
	read    []uint64 // a bit for each offset whose record was read
	work    int      // fields looked at, in all records
	named   int      // how often the tree named a record
	firsts  []string // the first keys of some records that have nothing of use
}

// visiting is the height of a node that is on the way from the root to the current one.
const visiting = 255

// verify returns what is wrong with a file for an IP version.
func (v *verifier) verify(version uint) error {
	if err := v.sections(); err != nil {
		return err
	}
	v.heights = make([]uint8, v.tree.count)
	v.read = make([]uint64, len(v.records)/64+1)
	if version == 4 {
		_, err := v.visit(0, 32)
		v.ipv4 = v.named > 0
		return err
	}
	// IPv4 addresses are below ::/96. Other places in the tree may refer to the same node.
	start, depth := uint(0), 0
	for ; depth < 96 && start < v.tree.count; depth++ {
		start = v.tree.node(start)[0]
	}
	if _, err := v.follow(start, 128-depth); err != nil {
		return err
	}
	v.ipv4 = v.named > 0
	if depth == 96 {
		v.named = 0
	}
	_, err := v.visit(0, 128)
	v.ipv6 = v.named > 0
	return err
}

// sections reads the data section from its beginning to its end.
func (v *verifier) sections() error {
	for at := 0; at < len(v.records); {
		end, _, err := v.records.skip(at, 0, len(v.records))
		if err != nil {
			return err
		}
		at = end
	}
	return nil
}

// visit looks at the tree below a node that it has not seen. No way down may be longer than the
// bits that an address has left. It returns the longest one.
func (v *verifier) visit(n uint, left int) (int, error) {
	height := int(v.heights[n])
	switch {
	case height == visiting:
		return 0, errors.New("its tree has a circle")
	case height > left || left == 0:
		return 0, errors.New("its tree is deeper than addresses are long")
	case height > 0:
		return height, nil
	}
	v.heights[n] = visiting
	for _, to := range v.tree.node(n) {
		below, err := v.follow(to, left-1)
		if err != nil {
			return 0, err
		}
		height = max(height, below+1)
	}
	v.heights[n] = uint8(height)
	return height, nil
}

// follow looks at what a record of the tree refers to.
func (v *verifier) follow(to uint, left int) (int, error) {
	if to < v.tree.count {
		return v.visit(to, left)
	}
	if to == v.tree.count {
		return 0, nil
	}
	v.named++
	offset := int(to-v.tree.count) - separatorSize
	if offset < 0 || offset >= len(v.records) {
		return 0, errors.New("its tree refers to a record that is not there")
	}
	bit := uint64(1) << (offset % 64)
	if v.read[offset/64]&bit != 0 {
		return 0, nil
	}
	v.read[offset/64] |= bit
	return 0, v.record(offset)
}

// record reads a record, as look-ups will do. Records may share parts, so a hostile file could make
// this take a time that grows with the square of its size. The work is bounded by the size.
func (v *verifier) record(offset int) error {
	r, err := v.records.read(offset, everything)
	if err != nil {
		return err
	}
	if v.work += r.steps; v.work > 4*len(v.records)+maxSteps {
		return errors.New("its records share too much")
	}
	e := r.entry()
	v.country = v.country || e.country != ""
	v.asn = v.asn || e.asn != 0
	if first := plain(string(r.first[:min(len(r.first), maxShown)])); e.country == "" && e.asn == 0 && len(v.firsts) < 8 && first != "" && !slices.Contains(v.firsts, first) {
		v.firsts = append(v.firsts, first)
	}
	return nil
}

// content says what the records have that have nothing of use.
func (v *verifier) content() string {
	if len(v.firsts) == 0 {
		return "records without names"
	}
	return "records that begin with " + strings.Join(v.firsts, ", ")
}
