package geo_test

import (
	"bytes"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/maxmind/mmdbwriter/mmdbtype"

	"sesame/daemon/engine"
	"sesame/daemon/geo"
	"sesame/daemon/geo/geotest"
)

func read(t testing.TB, path string, text []byte) *geo.Database {
	t.Helper()
	d, err := geo.Read(path, text)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func readFile(t testing.TB, path string) *geo.Database {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return read(t, path, text)
}

// say returns an answer as text.
func say(all geo.Databases, kind engine.FactKind, address string) string {
	a := all.Answer(engine.Question{Kind: kind, Address: netip.MustParseAddr(address)})
	switch {
	case !a.Known:
		return fmt.Sprintf("? %s: %s", a.From, a.Why)
	case kind == engine.FactCountry:
		return a.Country + " " + a.From
	}
	return fmt.Sprintf("%d %q %s", a.ASN, a.ASName, a.From)
}

// Each layout of records that a source of databases uses.
func TestLayouts(t *testing.T) {
	text := func(s string) mmdbtype.String { return mmdbtype.String(s) }
	for _, tt := range []struct {
		name         string
		record       mmdbtype.DataType
		country, asn string // "" : the database is refused for this fact
	}{
		{"MaxMind and DB-IP", geotest.Country("ES"), "ES", ""},
		{"ip-location-db", mmdbtype.Map{"country_code": text("ES")}, "ES", ""},
		{"IPinfo Lite", mmdbtype.Map{"asn": text("AS3352"), "as_name": text("Telefonica"), "country": text("Spain"), "country_code": text("ES"), "continent": text("Europe")}, "ES", `3352 "Telefonica"`},
		{"a country of two letters", mmdbtype.Map{"country": text("ES"), "country_name": text("Spain")}, "ES", ""},
		{"a code is better than two letters", mmdbtype.Map{"country": text("FR"), "country_code": text("ES")}, "ES", ""},
		{"iso_code is better than a code", mmdbtype.Map{"country": mmdbtype.Map{"iso_code": text("ES")}, "country_code": text("FR")}, "ES", ""},
		{"UK", mmdbtype.Map{"country_code": text("UK")}, "GB", ""},
		{"Kosovo", geotest.Country("XK"), "XK", ""},
		{"GeoLite2-ASN", geotest.AS(4200000000, "Telefonica"), "", `4200000000 "Telefonica"`},
		{"an AS below traits", mmdbtype.Map{"traits": mmdbtype.Map{"autonomous_system_number": mmdbtype.Uint32(3352), "autonomous_system_organization": text("Telefonica")}}, "", `3352 "Telefonica"`},
		{"a short number", mmdbtype.Map{"autonomous_system_number": mmdbtype.Uint16(3352)}, "", `3352 ""`},
		{"a long number", mmdbtype.Map{"autonomous_system_number": mmdbtype.Uint64(3352)}, "", `3352 ""`},
		{"a number that no AS has", mmdbtype.Map{"autonomous_system_number": mmdbtype.Uint64(1 << 32)}, "", ""},
		{"both", mmdbtype.Map{"country": mmdbtype.Map{"iso_code": text("ES")}, "traits": mmdbtype.Map{"autonomous_system_number": mmdbtype.Uint32(3352)}}, "ES", `3352 ""`},
		{"where a network is registered", mmdbtype.Map{"registered_country": mmdbtype.Map{"iso_code": text("ES")}}, "", ""},
		{"a country by name", mmdbtype.Map{"country": text("Spain")}, "", ""},
		{"no country", mmdbtype.Map{"country_code": text("EU")}, "", ""},
		{"small letters", mmdbtype.Map{"country_code": text("es")}, "", ""},
		{"a number for a country", mmdbtype.Map{"country_code": mmdbtype.Uint32(34), "country": mmdbtype.Slice{text("ES")}}, "", ""},
		{"a text for a number", mmdbtype.Map{"autonomous_system_number": text("3352"), "asn": text("3352"), "traits": text("x")}, "", ""},
		{"the AS 0", geotest.AS(0, "nobody"), "", ""},
		{"a text", text("ES"), "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			file := geotest.Database{Type: "Test", Records: map[string]mmdbtype.DataType{"203.0.113.0/24": tt.record}}.Bytes(t)
			d, err := geo.Read("a.mmdb", file)
			if tt.country+tt.asn == "" {
				if err == nil || !strings.HasPrefix(err.Error(), `a.mmdb: it has neither countries nor AS numbers: it is a "Test", with records`) {
					t.Errorf("got %v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			want := []string{"? Test, 2026-11-20: it has no countries", "? Test, 2026-11-20: it has no AS numbers"}
			if tt.country != "" {
				want[0] = tt.country + " Test, 2026-11-20"
			}
			if tt.asn != "" {
				want[1] = tt.asn + " Test, 2026-11-20"
			}
			got := []string{say(geo.Databases{d}, engine.FactCountry, "203.0.113.9"), say(geo.Databases{d}, engine.FactASN, "203.0.113.9")}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// What a database says of itself, and why it does not know.
func TestDatabases(t *testing.T) {
	countries := read(t, "/var/lib/GeoIP/country.mmdb", geotest.Countries(t, map[string]string{"203.0.113.0/24": "ES", "2001:db8::/32": "FR", "192.0.2.0/24": "EU"}))
	numbers := read(t, "asn.mmdb", geotest.Database{Type: "asn ipv4", Version: 4, Records: map[string]mmdbtype.DataType{"203.0.113.0/24": geotest.AS(3352, "Telefonica")}}.Bytes(t))
	other := read(t, "other.mmdb", geotest.Database{Type: "Other", Version: 4, Records: map[string]mmdbtype.DataType{"203.0.113.0/24": geotest.Country("PT"), "198.51.100.0/24": geotest.Country("PT")}}.Bytes(t))
	all := geo.Databases{countries, numbers, other}
	for _, tt := range []struct {
		databases     geo.Databases
		kind          engine.FactKind
		address, want string
	}{
		{all, engine.FactCountry, "203.0.113.9", "ES GeoLite2-Country, 2026-11-20"},
		{all, engine.FactCountry, "::ffff:203.0.113.9", "ES GeoLite2-Country, 2026-11-20"},
		{all, engine.FactCountry, "198.51.100.9", "PT Other, 2026-11-20"},
		{all, engine.FactCountry, "2001:db8::1", "FR GeoLite2-Country, 2026-11-20"},
		{all, engine.FactCountry, "2001:db9::1", "? GeoLite2-Country, 2026-11-20: it has no entry"},
		{all, engine.FactCountry, "192.0.2.1", `? GeoLite2-Country, 2026-11-20: it says "EU", which is no country; Other, 2026-11-20: it has no entry`},
		{all, engine.FactASN, "203.0.113.9", `3352 "Telefonica" asn, 2026-11-20`},
		{all, engine.FactASN, "2001:db8::1", "? asn, 2026-11-20: it has no IPv6 addresses"},
		{geo.Databases{numbers}, engine.FactCountry, "203.0.113.9", "? asn, 2026-11-20: it has no countries"},
		{geo.Databases{countries}, engine.FactASN, "203.0.113.9", "? GeoLite2-Country, 2026-11-20: it has no AS numbers"},
		{geo.Databases{}, engine.FactCountry, "203.0.113.9", "? : "},
		{all, engine.FactHost, "203.0.113.9", `0 "" `},
	} {
		if tt.kind == engine.FactHost {
			if a := tt.databases.Answer(engine.Question{Kind: tt.kind, Name: "a.example"}); a.Known || a.From != "" {
				t.Errorf("a name: %+v", a)
			}
		} else if got := say(tt.databases, tt.kind, tt.address); got != tt.want {
			t.Errorf("%s: got %s\nwant %s", tt.address, got, tt.want)
		}
	}
	if got := fmt.Sprint(countries.Content(), "; ", numbers.Content(), "; ", countries.Size > 500, countries.Built); got != "countries, IPv4 and IPv6; AS numbers, IPv4; true 2026-11-20 12:00:00 +0000 UTC" {
		t.Error(got)
	}
}

// Each knock may ask, so a known answer costs no memory but for the name of an AS.
func TestAnswersWithoutMemory(t *testing.T) {
	all := geo.Databases{read(t, "tor", []byte("3405803776,3405804031,ES\n")), read(t, "x", geotest.Countries(t, map[string]string{"2001:db8::/32": "FR"}))}
	for _, address := range []string{"203.0.113.9", "2001:db8::1"} {
		q := engine.Question{Kind: engine.FactCountry, Address: netip.MustParseAddr(address)}
		if n := testing.AllocsPerRun(100, func() { all.Answer(q) }); n != 0 || !all.Answer(q).Known {
			t.Errorf("%s: %g allocations", address, n)
		}
	}
}

// What a file says of itself is shown to people. It is bounded and plain.
func TestHostileTexts(t *testing.T) {
	long := strings.Repeat("\x1b[2Jé", 300)
	d := read(t, "a/b.mmdb", geotest.Database{Type: long, Records: map[string]mmdbtype.DataType{"203.0.113.0/24": geotest.AS(1, "\x00\u202e"+long)}}.Bytes(t))
	a := geo.Databases{d}.Answer(engine.Question{Kind: engine.FactASN, Address: netip.MustParseAddr("203.0.113.9")})
	for _, text := range []string{d.Type, a.ASName} {
		if len(text) > 127 || len(text) < 120 || strings.Contains(text, "\x1b") || !strings.HasPrefix(text, "[2Jé[2Jé") {
			t.Errorf("%d bytes: %q", len(text), text)
		}
	}
	exact := strings.Repeat("T", 127)
	for typ, want := range map[string]string{exact: exact, exact + "T": exact, "two words": "b", "": "GeoLite2-Country"} {
		d := read(t, "a/b.mmdb", geotest.Database{Type: typ, Records: map[string]mmdbtype.DataType{"203.0.113.0/24": geotest.AS(1, "")}}.Bytes(t))
		if d.Type != want {
			t.Errorf("got %s, want %s", d.Type, want)
		}
	}
	for _, built := range []time.Time{time.Unix(300_000_000_000, 0), time.Unix(-1, 0)} {
		d := read(t, "a.mmdb", geotest.Database{Built: built, Records: map[string]mmdbtype.DataType{"203.0.113.0/24": geotest.AS(1, "")}}.Bytes(t))
		if d.Name() != "GeoLite2-Country, of unknown age" || !d.Built.IsZero() {
			t.Errorf("built %s: %s", built, d.Name())
		}
	}
}

// Files that MaxMind made to break readers, and others that have nothing of use. An error names the
// file and what is wrong, and none of them takes long or ends the process.
func TestBadFiles(t *testing.T) {
	want := map[string]string{
		"GeoIP2-Anonymous-IP-Test":                           `it has neither countries nor AS numbers: it is a "GeoIP2-Anonymous-IP", with records that begin with is_anonymous`,
		"GeoIP2-City-Test-Invalid-Node-Count":                "it is not a complete file in MaxMind's format: the MaxMind DB contains invalid metadata",
		"MaxMind-DB-no-ipv4-search-tree":                     `it has neither countries nor AS numbers: it is a "MaxMind DB No IPv4 Search Tree", with records without names`,
		"MaxMind-DB-string-value-entries":                    `it has neither countries nor AS numbers: it is a "MaxMind DB String Value Entries", with records without names`,
		"MaxMind-DB-test-broken-pointers-24":                 "it is damaged: a record goes on behind the end of the records",
		"MaxMind-DB-test-broken-search-tree-24":              "it is damaged: its tree has a circle",
		"MaxMind-DB-test-decoder":                            `it has neither countries nor AS numbers: it is a "MaxMind DB Decoder Test", with records that begin with array, double`,
		"MaxMind-DB-test-ipv4-24":                            `it has neither countries nor AS numbers: it is a "Test", with records that begin with ip`,
		"MaxMind-DB-test-mixed-28":                           `it has neither countries nor AS numbers: it is a "Test", with records that begin with ip`,
		"MaxMind-DB-test-nested":                             `it has neither countries nor AS numbers: it is a "MaxMind DB Nested Data Structures", with records that begin with map1`,
		"bad-data/bad-unicode-in-map-key":                    "it is damaged: no zero bytes separate the tree from the records",
		"bad-data/cyclic-data-structure":                     "it is not a complete file in MaxMind's format: at offset 0, path /record_size: unexpected end of database",
		"bad-data/invalid-bytes-length":                      "it is not a complete file in MaxMind's format: at offset 0, path /description/en: unexpected end of database",
		"bad-data/invalid-data-record-offset":                "it is not a complete file in MaxMind's format: at offset 0: unknown type: 263",
		"bad-data/invalid-map-key-length":                    "it is not a complete file in MaxMind's format: at offset 0, path /record_size: unexpected end of database",
		"bad-data/invalid-string-length":                     "it is not a complete file in MaxMind's format: at offset 0, path /description: unexpected end of database",
		"bad-data/libmaxminddb-corrupt-search-tree":          `it has neither countries nor AS numbers: it is a "Test", with records that begin with ip`,
		"bad-data/libmaxminddb-deep-array-nesting":           `it has neither countries nor AS numbers: it is a "Test", with records without names`,
		"bad-data/libmaxminddb-deep-nesting":                 `it has neither countries nor AS numbers: it is a "Test", with records that begin with a`,
		"bad-data/libmaxminddb-metadata-marker-only":         "it is not a complete file in MaxMind's format: at offset 0: unexpected end of database",
		"bad-data/libmaxminddb-oversized-array":              "it is damaged: a record goes on behind the end of the records",
		"bad-data/libmaxminddb-oversized-map":                "it is damaged: a record goes on behind the end of the records",
		"bad-data/libmaxminddb-offset-integer-overflow":      "it is not a complete file in MaxMind's format: at offset 0: unexpected end of database",
		"bad-data/libmaxminddb-separator-record-max-left":    "it is damaged: its tree refers to a record that is not there",
		"bad-data/libmaxminddb-separator-record-min-left":    "it is damaged: its tree refers to a record that is not there",
		"bad-data/libmaxminddb-separator-record-min-right":   "it is damaged: its tree refers to a record that is not there",
		"bad-data/libmaxminddb-uint64-max-epoch":             `it has neither countries nor AS numbers: it is a "Test", with records that begin with ip`,
		"bad-data/libmaxminddb-empty-array-last-in-metadata": `it has neither countries nor AS numbers: it is a "Test", with records that begin with ip`,
		"bad-data/libmaxminddb-empty-map-last-in-metadata":   `it has neither countries nor AS numbers: it is a "Test", with records that begin with ip`,
		"bad-data/metadata-is-an-uint128":                    "it is not a complete file in MaxMind's format: at offset 0: unexpected end of database",
		"bad-data/unexpected-bytes":                          "it is not a complete file in MaxMind's format: at offset 0, path /languages: maxminddb: cannot unmarshal [] ([]uint8) into type []string",
	}
	for _, path := range testFiles(t) {
		name := strings.TrimSuffix(strings.TrimPrefix(path, "testdata/maxmind/"), ".mmdb")
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		if _, err := geo.Read(path, text); err != nil {
			got = strings.TrimPrefix(err.Error(), path+": ")
		}
		if got != want[name] {
			t.Errorf("%s: got %q, want %q", name, got, want[name])
		}
		delete(want, name)
	}
	for name := range want {
		t.Errorf("%s is not there", name)
	}
}

func testFiles(t testing.TB) []string {
	t.Helper()
	good, err := filepath.Glob("testdata/maxmind/*.mmdb")
	if err != nil {
		t.Fatal(err)
	}
	bad, err := filepath.Glob("testdata/maxmind/bad-data/*.mmdb")
	if err != nil {
		t.Fatal(err)
	}
	return append(good, bad...)
}

// Files that are no database at all.
func TestOtherFiles(t *testing.T) {
	whole := geotest.Countries(t, map[string]string{"203.0.113.0/24": "ES"})
	for _, tt := range []struct{ name, text, want string }{
		{"an empty one", "", "it is empty"},
		{"an archive", "\x1f\x8b\x08\x00", "it is compressed: unpack it first, for example with tar -xzf or gunzip"},
		{"a truncated one", string(whole[:len(whole)/2]), "it is not in MaxMind's format, or its end is missing: download it again"},
		{"a web page", "<!DOCTYPE html>\n<html>", `it is neither in MaxMind's format nor a file of tor-geoipdb: line 1: expected FIRST,LAST,COUNTRY such as "16777216,16777471,AU", got "<!DOCTYPE html>"`},
		{"only comments", "# nothing\n\n", "it has no range with a country"},
		{"without its first bytes", string(whole[100:]), "it is not a complete file in MaxMind's format: the MaxMind DB contains invalid metadata"},
		{"a marker", "\xab\xcd\xefMaxMind.com", "it is not a complete file in MaxMind's format: at offset 0: unexpected end of database"},
	} {
		if _, err := geo.Read("x.mmdb", []byte(tt.text)); err == nil || err.Error() != "x.mmdb: "+tt.want {
			t.Errorf("%s: got %v\nwant %s", tt.name, err, tt.want)
		}
	}
	if _, err := geo.Read("x.mmdb", make([]byte, geo.MaxSize+1)); err == nil || !strings.Contains(err.Error(), "it has 129 MiB: expected at most 128 MiB: take a smaller one") {
		t.Errorf("got %v", err)
	}
}

// The ends of a file tell that it is none.
func TestTheEndsOfAFile(t *testing.T) {
	const marker = "\xab\xcd\xefMaxMind.com"
	for _, tt := range []struct {
		name       string
		size       int64
		head, tail string
		want       string
	}{
		{"an empty file", 0, "", "", "it is empty"},
		{"the largest", geo.MaxSize, "\x00", "..." + marker + "...", ""},
		{"one that is larger", geo.MaxSize + 1, "\x00", marker, "expected at most 128 MiB"},
		{"zeros", 100 << 20, "\x00\x00", "\x00\x00", "it is not in MaxMind's format"},
		{"the longest text", 64 << 20, "# a", "1,2,AU", ""},
		{"a longer text", 64<<20 + 1, "# a", "1,2,AU", "it has 65 MiB and is not in MaxMind's format: expected at most 64 MiB of text"},
	} {
		switch err := geo.CheckEnds(tt.size, []byte(tt.head), []byte(tt.tail)); {
		case (err == nil) != (tt.want == ""), err != nil && !strings.Contains(err.Error(), tt.want):
			t.Errorf("%s: got %v, want %q", tt.name, err, tt.want)
		}
	}
	t.Log("# a marker that is not among the last 128 KiB begins no metadata")
	whole := geotest.Countries(t, map[string]string{"203.0.113.0/24": "ES"})
	if _, err := geo.Read("x", append(whole, make([]byte, geo.TailSize)...)); err == nil || !strings.Contains(err.Error(), "not in MaxMind's format") {
		t.Errorf("got %v", err)
	}
}

// A file of which any part is missing or changed is refused, or still answers at once and with
// countries that exist.
func TestDamagedFiles(t *testing.T) {
	whole, err := os.ReadFile("testdata/maxmind/GeoLite2-Country-Test.mmdb")
	if err != nil {
		t.Fatal(err)
	}
	for n := range len(whole) {
		if _, err := geo.Read("x", whole[:n]); err == nil {
			t.Fatalf("%d of %d bytes are taken", n, len(whole))
		}
	}
	for n := 0; n < len(whole); n += 7 {
		changed := bytes.Clone(whole)
		changed[n] ^= 0x5a
		if d, err := geo.Read("x", changed); err == nil {
			ask(t, d)
		}
	}
}

// ask asks for some addresses. It fails when an answer is impossible.
func ask(t testing.TB, d *geo.Database) {
	for _, address := range []string{"81.2.69.160", "2001:218::1", "0.0.0.0", "255.255.255.255", "::", "ffff::", "::ffff:81.2.69.160"} {
		for _, kind := range []engine.FactKind{engine.FactCountry, engine.FactASN} {
			a := geo.Databases{d}.Answer(engine.Question{Kind: kind, Address: netip.MustParseAddr(address)})
			if a.Known != (a.Country != "" || a.ASN != 0) || a.Known && len(a.Country)%2 != 0 || len(a.ASName) > 127 || len(a.From) > 160 || a.Known == (a.Why != "") {
				t.Errorf("%s: %+v", address, a)
			}
		}
	}
}
