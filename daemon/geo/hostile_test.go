package geo

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"strings"
	"testing"

	"sesame/daemon/engine"
)

// A made file is one that no writer would make: a tree with records of 32 bits, and a data section.
type made struct {
	version byte
	nodes   [][2]uint32
	data    []byte
}

func (m made) bytes() []byte {
	var b []byte
	for _, node := range m.nodes {
		b = binary.BigEndian.AppendUint32(b, node[0])
		b = binary.BigEndian.AppendUint32(b, node[1])
	}
	b = append(b, make([]byte, separatorSize)...)
	b = append(b, m.data...)
	b = append(b, metadataMarker...)
	count := binary.BigEndian.AppendUint32([]byte{0xc4}, uint32(len(m.nodes)))
	b = append(b, 0xe7)
	for _, field := range []string{
		text("binary_format_major_version"), "\xa1\x02", text("database_type"), text("Test"), text("ip_version"), "\xa1" + string(m.version),
		text("node_count"), string(count), text("record_size"), "\xa1\x20", text("build_epoch"), "\x04\x02\x65\x00\x00\x00",
		text("description"), "\xe0",
	} {
		b = append(b, field...)
	}
	return b
}

// text is a field with a text of less than 29 bytes.
func text(s string) string { return string(rune(0x40|len(s))) + s }

// pointer is a field that points to an offset.
func pointer(to int) string {
	return "\x38" + string(binary.BigEndian.AppendUint32(nil, uint32(to)))
}

// at is the record of a tree for data at an offset.
func (m made) at(offset int) uint32 { return uint32(len(m.nodes) + separatorSize + offset) }

const spain = "\xe1\x4ccountry_code\x42ES"

// one is a file with one record for all addresses.
func one(data string) made {
	m := made{version: 4, nodes: make([][2]uint32, 1), data: []byte(data)}
	m.nodes[0] = [2]uint32{m.at(0), m.at(0)}
	return m
}

// The build date is a number that may be absent, as 0, or beyond all calendars.
func TestBuildDates(t *testing.T) {
	whole := one(spain).bytes()
	for epoch, want := range map[string]string{
		"\x65\x00\x00\x00": "Test, 2023-09-12", "\x00\x00\x00\x01": "Test, 1970-01-01", "\x00\x00\x00\x00": "Test, of unknown age",
	} {
		d, err := Read("x", bytes.Replace(whole, []byte("\x04\x02\x65\x00\x00\x00"), []byte("\x04\x02"+epoch), 1))
		if err != nil || d.Name() != want {
			t.Errorf("got %v, %v; want %s", d, err, want)
		}
	}
}

func TestHostileFiles(t *testing.T) {
	// Both ways from each node lead to the next one: 2^128 ways, and 128 nodes.
	ladder := made{version: 6, data: []byte(spain)}
	for n := range uint32(128) {
		ladder.nodes = append(ladder.nodes, [2]uint32{n + 1, n + 1})
	}
	ladder.nodes[127] = [2]uint32{ladder.at(0), ladder.at(0)}
	deep := made{version: 6, data: ladder.data, nodes: append([][2]uint32{}, ladder.nodes...)}
	deep.nodes[127] = [2]uint32{128, 128}
	deep.nodes = append(deep.nodes, [2]uint32{})
	deep.nodes[128] = [2]uint32{deep.at(0), deep.at(0)}
	// Node 32 is near to the root, and too deep behind node 31.
	shared := made{version: 4, data: []byte(spain), nodes: make([][2]uint32, 34)}
	for n := range uint32(31) {
		shared.nodes[n] = [2]uint32{32, n + 1}
	}
	shared.nodes[31] = [2]uint32{shared.at(0), 32}
	shared.nodes[32] = [2]uint32{33, shared.at(0)}
	shared.nodes[33] = [2]uint32{shared.at(0), shared.at(0)}
	circle := made{version: 4, data: []byte(spain), nodes: [][2]uint32{{1, 2}, {2, 0}}}

	for _, tt := range []struct {
		name string
		file made
		want string // of the error, "" for none
	}{
		{"one record", one(spain), ""},
		{"a ladder", ladder, ""},
		{"a deep ladder", deep, "its tree is deeper than addresses are long"},
		{"a node at two depths", shared, "its tree is deeper than addresses are long"},
		{"a circle", circle, "its tree has a circle"},
		{"a record in the separator", made{version: 4, nodes: [][2]uint32{{2, 1}}, data: []byte(spain)}, "its tree refers to a record that is not there"},
		{"a record behind the end", made{version: 4, nodes: [][2]uint32{{1 << 30, 1}}, data: []byte(spain)}, "its tree refers to a record that is not there"},
		{"a pointer to a pointer", one("\xe1\x4ccountry_code" + pointer(19) + pointer(19)), "a record has a pointer to a pointer"},
		{"a pointer to the map around it", one("\xe2\x47country" + pointer(0) + text("country_code") + text("ES")), ""},
		{"a pointer behind the end", one("\xe1\x4ccountry_code" + pointer(1<<20)), "a record goes on behind the end of the records"},
		{"an unknown type", one("\xe1\x4ccountry_code\x00\x09"), "a record has a field of an unknown type"},
		{"a key that is no text", one("\xe1\xa1\x01\x42ES"), "a record has a key that is no text"},
		{"a number of 28 bytes", one("\xe2" + text("asn") + text("AS1") + text("autonomous_system_number") + "\xdc" + strings.Repeat("x", 28)), ""},
		{"16 million entries", one("\xff\xff\xff\xff"), "a record goes on behind the end of the records"},
		{"a text of 16 MB", one("\xe1\x4ccountry_code\x5f\xff\xff\xffES"), "a record goes on behind the end of the records"},
		{"many fields", one("\xe2\x41a\x1f\x04\x00\x00\x00" + strings.Repeat("\xa0", 65821) + text("country_code") + text("ES")), "a record has too many fields"},
		{"many entries", one("\xfe\x80\x00" + strings.Repeat("\x41a\xa0", 0x8000+285)), "a record has too many fields"},
		{"a long name", one("\xe2" + text("as_name") + "\x5f\x00\x00\x00" + strings.Repeat("x", 65821) + text("asn") + text("AS1")), ""},
		{"a code that is no text", one("\xe1\x4ccountry_code\x44\xff\xfe\x00\x01"), "it has neither countries nor AS numbers"},
		{"no data", made{version: 4, nodes: [][2]uint32{{1, 1}}}, "it has neither countries nor AS numbers"},
	} {
		d, err := Read("x", tt.file.bytes())
		if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
			t.Errorf("%s: got %v, want %q", tt.name, err, tt.want)
		}
		if err == nil {
			a := Databases{d}.Answer(engine.Question{Kind: engine.FactCountry, Address: netip.MustParseAddr("203.0.113.9")})
			if d.Countries != a.Known || a.Known && a.Country != "ES" || len(a.Why) > 100 {
				t.Errorf("%s: %+v", tt.name, a)
			}
		}
	}
}

// Thousands of records that are parts of one another would take hours, and are refused in a moment.
func TestRecordsThatShare(t *testing.T) {
	const levels = 8000 // each a map in the one before
	m := made{version: 4, data: []byte(strings.Repeat("\xe1\x41a", levels) + spain)}
	m.nodes = make([][2]uint32, levels)
	var fill func(n uint32, depth int)
	next := uint32(1)
	fill = func(n uint32, depth int) {
		for side := range 2 {
			if depth < 12 && next < levels {
				to := next
				next++
				m.nodes[n][side] = to
				fill(to, depth+1)
				continue
			}
			m.nodes[n][side] = m.at(3 * (int(2*n) + side) % (3 * levels))
		}
	}
	fill(0, 0)
	if _, err := Read("x", m.bytes()); err == nil || err.Error() != "x: it is damaged: its records share too much" {
		t.Error(err)
	}
}
