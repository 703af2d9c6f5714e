package geo

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/oschwald/maxminddb-golang/v2"

	"sesame/daemon/engine"
)

// The format is described at https://maxmind.github.io/MaxMind-DB/. A file is a search tree, 16
// zero bytes, a data section with the records, and metadata behind a marker.
var metadataMarker = []byte("\xab\xcd\xefMaxMind.com")

const separatorSize = 16

// A maxMind is a file in MaxMind's format. The library finds the record of an address. Records are
// read by [records.read], whose work is bounded.
type maxMind struct {
	reader  *maxminddb.Reader
	records records
}

// readMaxMind reads and verifies a file in MaxMind's format. The verification of the library is
// not used: it refuses files without a description, as those of ip-location-db are, and the time
// that it takes for a hostile file has no useful bound.
func (d *Database) readMaxMind(text []byte) error {
	reader, err := maxminddb.OpenBytes(text)
	if err != nil {
		return fmt.Errorf("it is not a complete file in MaxMind's format: %w", err)
	}
	m := reader.Metadata
	switch {
	case m.BinaryFormatMajorVersion != 2:
		return fmt.Errorf("it has version %d of MaxMind's format: expected 2", m.BinaryFormatMajorVersion)
	case m.RecordSize != 24 && m.RecordSize != 28 && m.RecordSize != 32:
		return fmt.Errorf("its tree has records of %d bits: expected 24, 28 or 32", m.RecordSize)
	case m.IPVersion != 4 && m.IPVersion != 6:
		return fmt.Errorf("it is for IP version %d: expected 4 or 6", m.IPVersion)
	case m.NodeCount == 0:
		return errors.New("it has no networks")
	}
	size := int(m.NodeCount * m.RecordSize / 4) // the library has compared it with the file
	separator, section := text[size:size+separatorSize], text[size+separatorSize:bytes.LastIndex(text, metadataMarker)]
	if !bytes.Equal(separator, make([]byte, separatorSize)) {
		return errors.New("it is damaged: no zero bytes separate the tree from the records")
	}
	data := &maxMind{reader, records(section)}
	v := &verifier{tree: tree{nodes: text[:size], count: m.NodeCount, bits: m.RecordSize}, records: data.records}
	if err := v.verify(m.IPVersion); err != nil {
		return fmt.Errorf("it is damaged: %w", err)
	}
	if !v.country && !v.asn {
		return fmt.Errorf("it has neither countries nor AS numbers: it is a %q, with %s", plain(m.DatabaseType), v.content())
	}
	d.Type, d.data = m.DatabaseType, data
	d.Countries, d.ASNumbers, d.IPv4, d.IPv6 = v.country, v.asn, v.ipv4, v.ipv6
	if last := uint64(253402300799); m.BuildEpoch > 0 && uint64(m.BuildEpoch) <= last { // the end of the year 9999
		d.Built = time.Unix(int64(m.BuildEpoch), 0).UTC()
	}
	return nil
}

// find implements [finder].
func (m *maxMind) find(address netip.Addr, kind engine.FactKind) entry {
	result := m.reader.Lookup(address)
	if !result.Found() {
		return entry{}
	}
	// It was read without an error when the file was verified.
	r, _ := m.records.read(int(result.Offset()), kind)
	return r.entry()
}
