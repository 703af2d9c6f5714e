package condition

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"path/filepath"

	"github.com/gaissmai/bart"
	"go4.org/netipx"

	"sesame/daemon/engine"
	"sesame/daemon/packet"
)

// The bounds of a list of networks.
const (
	maxList     = 64 << 20  // bytes
	maxNetworks = 1_000_000 // of which a range may have many
	// maxWrong is how many wrong lines are reported: who gives a file of another
	// kind need not read about each.
	maxWrong = 10
	maxEntry = 100 // bytes; a range of IPv6 has 79 at most, more is no entry
)

// A networkTable finds the smallest network that has an address. Its memory is
// some 60 bytes for a network.
type networkTable struct{ bart.Lite }

// find returns the smallest network that has the address; the zero value when
// none has it, whose length is -1 bits.
func (t *networkTable) find(a netip.Addr) netip.Prefix {
	// Most lists do not have the source, and Contains is cheaper.
	if !t.Contains(a) {
		return netip.Prefix{}
	}
	network, _ := t.LookupPrefixLPM(netip.PrefixFrom(a, a.BitLen()))
	return network
}

// A networkList is the content of a file. It does not change, so conditions and
// script sets share it.
type networkList struct {
	name string // of the file, without its directory
	networkTable
}

// A List is what a person may want to know of the networks of a condition.
type List struct {
	File      string // its name; "" for those that stand in the script
	Networks  int
	Everybody bool // it has all addresses of IPv4, or of IPv6
}

// ListsOf returns the lists of a condition, without those of conditions that it
// is made of.
func ListsOf(c engine.Condition) []List {
	n, ok := c.(*networks)
	if !ok {
		return nil
	}
	var lists []List
	if len(n.prefixes) > 0 {
		lists = append(lists, n.inline.list(""))
	}
	for _, f := range n.files {
		lists = append(lists, f.list(f.name))
	}
	return lists
}

func (t *networkTable) list(file string) List {
	all4, all6 := netip.PrefixFrom(netip.IPv4Unspecified(), 0), netip.PrefixFrom(netip.IPv6Unspecified(), 0)
	return List{file, t.Size(), t.Get(all4) || t.Get(all6)}
}

// readNetworks reads a list: an address, a network or a range in each line,
// comments behind # or ;, blank lines. These are the forms of FireHOL's netsets,
// of Spamhaus DROP and of lists of Tor's exits. A file without an entry and
// without a comment is wrong: it may be half-written, and that is not a list of
// nobody.
func readNetworks(path string, text []byte) (any, error) {
	l := &networkList{name: filepath.Base(path)}
	text = bytes.TrimPrefix(text, []byte("\ufeff"))
	entries, comments, added, number := 0, false, 0, 0
	var wrong []error
	var prefixes []netip.Prefix
	for line := range bytes.Lines(text) {
		number++
		if at := bytes.IndexAny(line, "#;"); at >= 0 {
			line, comments = line[:at], true
		}
		line = bytes.TrimSpace(line)
		if len(line) == 0 {
			continue
		}
		entries++
		var err error
		prefixes, err = appendNetworks(prefixes[:0], line)
		if added += len(prefixes); err == nil && added > maxNetworks {
			err = fmt.Errorf("expected at most %d networks in a list: put the rest in another", maxNetworks)
			wrong = append(wrong, &FileError{number, err.Error()})
			break
		}
		if err != nil {
			if wrong = append(wrong, &FileError{number, err.Error()}); len(wrong) == maxWrong {
				break
			}
		}
		for _, prefix := range prefixes {
			l.Insert(prefix)
		}
	}
	if entries == 0 && !comments {
		return nil, &FileError{1, "the file is empty, as if it were half-written: write # and a comment when it shall hold for nobody"}
	}
	return l, errors.Join(wrong...)
}

// appendNetworks appends the networks of one entry. A range is split into
// networks.
func appendNetworks(to []netip.Prefix, entry []byte) ([]netip.Prefix, error) {
	const expected = `expected an address, a network such as 203.0.113.0/24, or a range such as 203.0.113.5-203.0.113.9`
	if len(entry) > maxEntry {
		return to, fmt.Errorf("%q... is no entry: "+expected, entry[:maxEntry])
	}
	first, last, isRange := bytes.Cut(entry, []byte("-"))
	if !isRange {
		prefix, err := packet.ParseNetwork(string(entry))
		if err == nil {
			return append(to, prefix), nil
		}
		if _, malformed := netip.ParsePrefix(string(entry)); malformed != nil {
			err = fmt.Errorf("%q is no entry: "+expected, entry)
		}
		return to, err
	}
	from, err := netip.ParseAddr(string(bytes.TrimSpace(first)))
	until, err2 := netip.ParseAddr(string(bytes.TrimSpace(last)))
	if err != nil || err2 != nil || from.Zone() != "" || until.Zone() != "" {
		return to, fmt.Errorf("%q is no entry: "+expected, entry)
	}
	r := netipx.IPRangeFrom(from.Unmap(), until.Unmap())
	if !r.IsValid() {
		return to, fmt.Errorf("%q is no range: expected two addresses of one IP version, the lower first", entry)
	}
	return r.AppendPrefixes(to), nil
}
