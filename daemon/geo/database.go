// Package geo turns files about addresses into answers: the country of an address, and the
// autonomous system (AS) that announces it.
//
// It reads files in MaxMind's format, and the text files of Debian's package tor-geoipdb. All work
// is done on bytes in memory. A file that is mapped into memory would end the process when somebody
// truncates it.
package geo

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/netip"
	"path/filepath"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"sesame/daemon/engine"
)

// Sizes of files, in bytes. They fit the memory that sesame.service gives to the daemon. Free files
// have at most some 60 MB.
const (
	MaxSize  = 128 << 20 // of the largest file that [Read] takes
	MaxTotal = 256 << 20 // of all databases that a daemon has at once
	maxText  = 64 << 20  // of the largest text file; those of tor-geoipdb have 20 MB

	// HeadSize and TailSize are how much of both ends of a file [CheckEnds] wants. The metadata of
	// MaxMind's format, with their marker, are in the last 128 KiB.
	HeadSize = 512
	TailSize = 128 << 10
)

// A Database is one file that was read and verified. It is immutable, and safe for concurrent use.
type Database struct {
	Path  string
	Type  string    // what the file says it is, such as "GeoLite2-Country"
	Built time.Time // in UTC; zero when the file does not say
	Hash  [sha256.Size]byte
	Size  int // of the file, in bytes

	Countries, ASNumbers bool // what it knows of some address
	IPv4, IPv6           bool // of which addresses it knows something

	data finder
	name string
}

// A finder has the content of a file in one of the formats.
type finder interface {
	// find returns what the file has for an address, at least for a kind of fact. It has addresses
	// of that family.
	find(netip.Addr, engine.FactKind) entry
}

// An entry is what a file has for an address.
type entry struct {
	there   bool   // false: it has nothing
	country string // "" when it has none
	code    string // when there is no country: what stands in its place
	asn     uint32 // 0 when it has none
	asName  string
}

// Read reads a file that has this text, and verifies all of it that a look-up can reach. The
// database keeps the text: nobody may change it. Memory beside the text is at most half as much
// again, and 64 MiB at most for a text file. The error names the path, and what is wrong.
//
// What a file is for is found from its records. Metadata of many files say nothing about it.
func Read(path string, text []byte) (*Database, error) {
	d := &Database{Path: path, Size: len(text), Hash: sha256.Sum256(text)}
	if err := d.read(text); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if d.Type = plain(d.Type); d.Type == "" || strings.Contains(d.Type, " ") {
		// ip-location-db's files have the type "country ipvAll", whatever their source is.
		base := filepath.Base(path)
		d.Type = plain(strings.TrimSuffix(base, filepath.Ext(base)))
	}
	d.name = d.Type + ", of unknown age"
	if !d.Built.IsZero() {
		d.name = d.Type + ", " + d.Built.Format(time.DateOnly)
	}
	return d, nil
}

// read finds out the format.
func (d *Database) read(text []byte) error {
	tail := text[max(len(text)-TailSize, 0):]
	if err := CheckEnds(int64(len(text)), text[:min(len(text), HeadSize)], tail); err != nil {
		return err
	}
	if bytes.Contains(tail, metadataMarker) {
		return d.readMaxMind(text)
	}
	return d.readTor(text)
}

// CheckEnds returns why a file cannot be a database; nil when it may be one. It is for a caller
// that has not read the whole file yet: size is its size, head its first [HeadSize] bytes, and tail
// its last [TailSize] bytes, or as many as it has.
func CheckEnds(size int64, head, tail []byte) error {
	switch {
	case size == 0:
		return errors.New("it is empty")
	case size > MaxSize:
		return fmt.Errorf("it has %d MiB: expected at most %d MiB: take a smaller one, such as one of countries only", mebibytes(size), MaxSize>>20)
	case bytes.Contains(tail, metadataMarker):
		return nil
	case bytes.HasPrefix(head, []byte("\x1f\x8b")), bytes.HasPrefix(head, []byte("PK\x03\x04")):
		return errors.New("it is compressed: unpack it first, for example with tar -xzf or gunzip")
	case bytes.IndexByte(head, 0) >= 0 || !utf8.Valid(head[:max(len(head)-utf8.UTFMax, 0)]):
		return errors.New("it is not in MaxMind's format, or its end is missing: download it again")
	case size > maxText:
		return fmt.Errorf("it has %d MiB and is not in MaxMind's format: expected at most %d MiB of text", mebibytes(size), maxText>>20)
	}
	return nil
}

// mebibytes rounds up, so that a file that is too large by a byte does not seem to fit.
func mebibytes(size int64) int64 { return (size + 1<<20 - 1) >> 20 }

// Name names the database for people: "GeoLite2-Country, 2026-11-20". It is plain text of at most
// 160 bytes.
func (d *Database) Name() string { return d.name }

// Has reports whether the database knows a kind of fact of any address.
func (d *Database) Has(kind engine.FactKind) bool {
	return kind == engine.FactCountry && d.Countries || kind == engine.FactASN && d.ASNumbers
}

// Content says what the database has: "countries and AS numbers, IPv4 and IPv6".
func (d *Database) Content() string {
	return both("countries", d.Countries, "AS numbers", d.ASNumbers) + ", " + both("IPv4", d.IPv4, "IPv6", d.IPv6)
}

func both(one string, first bool, other string, second bool) string {
	switch {
	case first && second:
		return one + " and " + other
	case first:
		return one
	}
	return other
}

// covers reports whether the database has addresses of the family of one.
func (d *Database) covers(a netip.Addr) bool { return a.Is4() && d.IPv4 || a.Is6() && d.IPv6 }

// maxShown bounds texts of a file that people are shown, in bytes.
const maxShown = 127

// plain makes a text of a file fit to be shown: UTF-8 without control characters, of at most
// maxShown bytes.
func plain(text string) string {
	printable := func(r rune) rune {
		if r == utf8.RuneError || !unicode.IsPrint(r) {
			return -1
		}
		return r
	}
	text = strings.TrimSpace(strings.Map(printable, text[:min(len(text), 4*maxShown)]))
	for len(text) > maxShown {
		_, size := utf8.DecodeLastRuneInString(text)
		text = text[:len(text)-size]
	}
	return text
}
