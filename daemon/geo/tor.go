package geo

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"sesame/daemon/engine"
	"sesame/daemon/geo/country"
)

// The files geoip and geoip6 of Debian's package tor-geoipdb have a range of addresses a line, and
// its country: "16777216,16777471,AU" with IPv4 addresses as numbers, and "2001:2::,2001:2::f,JP".
// Lines that begin with # are comments. Tor's reader is geoip_parse_entry in src/lib/geoip/geoip.c.

// maxRanges bounds the ranges of a file. The two files of 2026 have 385,000 and 277,000.
const maxRanges = 1 << 20

// A span is one line: a range of addresses, both ends included. IPv4 addresses are in the last
// four bytes.
type span struct {
	first, last [16]byte
	code        [2]byte
}

// spans are the ranges of one file. They are sorted, and none overlaps another.
type spans []span

// find implements [finder].
func (s spans) find(address netip.Addr, _ engine.FactKind) entry {
	key := sortable(address)
	i, _ := slices.BinarySearchFunc(s, key, func(one span, key [16]byte) int { return bytes.Compare(one.last[:], key[:]) })
	if i == len(s) || bytes.Compare(key[:], s[i].first[:]) < 0 {
		return entry{}
	}
	e := entry{there: true, country: country.Code(string(s[i].code[:]))}
	if e.country == "" {
		e.code = strconv.Quote(string(s[i].code[:]))
	}
	return e
}

// sortable returns an address as bytes whose order is that of the addresses of its family.
func sortable(a netip.Addr) (key [16]byte) {
	if a.Is6() {
		return a.As16()
	}
	four := a.As4()
	copy(key[12:], four[:])
	return key
}

// readTor reads a file of tor-geoipdb. A wrong line fails with its number.
func (d *Database) readTor(text []byte) error {
	ranges := make(spans, 0, min(bytes.Count(text, []byte("\n"))+1, maxRanges))
	number := 0
	for line := range bytes.Lines(text) {
		number++
		line = bytes.TrimRight(line, "\r\n")
		if comment, ok := bytes.CutPrefix(line, []byte("#")); ok || len(bytes.TrimSpace(line)) == 0 {
			d.generated(comment)
			continue
		}
		one, four, err := parseSpan(string(line[:min(len(line), 256)]))
		switch {
		case err != nil && len(ranges) == 0:
			return fmt.Errorf("it is neither in MaxMind's format nor a file of tor-geoipdb: line %d: %w", number, err)
		case err != nil:
			return fmt.Errorf("line %d: %w", number, err)
		case len(ranges) == maxRanges:
			return fmt.Errorf("line %d: expected at most %d ranges", number, maxRanges)
		case len(ranges) > 0 && four != d.IPv4:
			return fmt.Errorf("line %d: it is of another IP version than the lines above", number)
		case len(ranges) > 0 && bytes.Compare(one.first[:], ranges[len(ranges)-1].last[:]) <= 0:
			return fmt.Errorf("line %d: the range begins before the one above ends", number)
		}
		d.IPv4, d.IPv6 = four, !four
		ranges = append(ranges, one)
	}
	if d.Countries = slices.ContainsFunc(ranges, func(s span) bool { return country.Code(string(s.code[:])) != "" }); !d.Countries {
		return errors.New("it has no range with a country")
	}
	d.Type, d.data = "tor-geoip", ranges
	if d.IPv6 {
		d.Type = "tor-geoip6"
	}
	return nil
}

// generated reads the comment that has the date of the data: "Generated: Thu, 25 Jun 2026 04:33:59
// GMT".
func (d *Database) generated(comment []byte) {
	_, date, found := bytes.Cut(comment[:min(len(comment), 128)], []byte("Generated: "))
	if !found {
		return
	}
	if at, err := time.Parse(time.RFC1123, strings.TrimSpace(string(date))); err == nil {
		d.Built = at.UTC()
	}
}

// parseSpan reads a line. four reports whether it is of IPv4.
func parseSpan(line string) (one span, four bool, err error) {
	parts := strings.Split(line, ",")
	if len(parts) != 3 || len(parts[2]) != 2 {
		return one, false, fmt.Errorf(`expected FIRST,LAST,COUNTRY such as "16777216,16777471,AU", got %.60q`, line)
	}
	first, err := parseEnd(parts[0])
	if err != nil {
		return one, false, err
	}
	last, err := parseEnd(parts[1])
	switch {
	case err != nil:
		return one, false, err
	case first.Is4() != last.Is4():
		return one, false, fmt.Errorf("%.60q begins and ends in different IP versions", line)
	case last.Less(first):
		return one, false, fmt.Errorf("%.60q ends before it begins", line)
	}
	one = span{sortable(first), sortable(last), [2]byte([]byte(parts[2]))}
	return one, first.Is4(), nil
}

// parseEnd reads an IPv4 address as a decimal number, or an IPv6 address.
func parseEnd(text string) (netip.Addr, error) {
	if n, err := strconv.ParseUint(text, 10, 32); err == nil && text[0] != '+' {
		return netip.AddrFrom4([4]byte{byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)}), nil
	}
	a, err := netip.ParseAddr(text)
	if err != nil || !a.Is6() || a.Is4In6() || a.Zone() != "" {
		return a, fmt.Errorf("%.60q is neither an IPv4 address as a number nor an IPv6 address", text)
	}
	return a, nil
}
