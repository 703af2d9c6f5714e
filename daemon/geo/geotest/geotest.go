// Package geotest turns networks and what is known of them into databases, for tests.
package geotest

import (
	"bytes"
	"maps"
	"net"
	"slices"
	"testing"
	"time"

	"github.com/maxmind/mmdbwriter"
	"github.com/maxmind/mmdbwriter/mmdbtype"
)

// Built is the build date of databases that have no other.
var Built = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

// A Database describes a file in MaxMind's format.
type Database struct {
	Type    string    // default: "GeoLite2-Country"
	Built   time.Time // default: Built
	Version int       // 4 or 6, default 6
	Bits    int       // of a record of the tree: 24, 28 or 32; default 24
	Records map[string]mmdbtype.DataType
}

// Bytes returns the file. Networks are inserted in the order of their texts.
func (d Database) Bytes(t testing.TB) []byte {
	t.Helper()
	o := mmdbwriter.Options{
		DatabaseType: d.Type, BuildEpoch: d.Built.Unix(), IPVersion: d.Version, RecordSize: d.Bits,
		Description: map[string]string{"en": "a database for tests"}, IncludeReservedNetworks: true,
	}
	if d.Type == "" {
		o.DatabaseType = "GeoLite2-Country"
	}
	if d.Built.IsZero() {
		o.BuildEpoch = Built.Unix()
	}
	tree, err := mmdbwriter.New(o)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range slices.Sorted(maps.Keys(d.Records)) {
		_, network, err := net.ParseCIDR(text)
		if err != nil {
			t.Fatal(err)
		}
		if err := tree.Insert(network, d.Records[text]); err != nil {
			t.Fatal(err)
		}
	}
	var file bytes.Buffer
	if _, err := tree.WriteTo(&file); err != nil {
		t.Fatal(err)
	}
	return file.Bytes()
}

// Countries returns a database with a country for each network, as GeoLite2-Country has them.
func Countries(t testing.TB, countries map[string]string) []byte {
	t.Helper()
	records := map[string]mmdbtype.DataType{}
	for network, code := range countries {
		records[network] = Country(code)
	}
	return Database{Records: records}.Bytes(t)
}

// Country is a record of GeoLite2-Country. The network is registered elsewhere.
func Country(code string) mmdbtype.Map {
	return mmdbtype.Map{
		"continent":          mmdbtype.Map{"code": mmdbtype.String("EU")},
		"country":            mmdbtype.Map{"iso_code": mmdbtype.String(code), "names": mmdbtype.Map{"en": mmdbtype.String("a country")}},
		"registered_country": mmdbtype.Map{"iso_code": mmdbtype.String("AQ")},
	}
}

// AS is a record of GeoLite2-ASN.
func AS(number uint32, name string) mmdbtype.Map {
	return mmdbtype.Map{
		"autonomous_system_number": mmdbtype.Uint32(number), "autonomous_system_organization": mmdbtype.String(name),
	}
}
