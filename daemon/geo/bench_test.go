package geo_test

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/maxmind/mmdbwriter/mmdbtype"

	"sesame/daemon/engine"
	"sesame/daemon/geo"
	"sesame/daemon/geo/geotest"
)

// networks has records for 50,000 networks, some near to one another and some not.
func networks(record func(n int) mmdbtype.DataType) map[string]mmdbtype.DataType {
	records := map[string]mmdbtype.DataType{}
	for n := range 25_000 {
		spread := uint32(n) * 2654435761 // of all addresses
		records[fmt.Sprintf("%d.%d.%d.0/24", 1+spread>>24%200, spread>>16&255, spread>>8&255)] = record(n)
		records[fmt.Sprintf("2a00:%x:%x::/48", spread>>16, spread&0xffff)] = record(n)
	}
	return records
}

func country(n int) mmdbtype.DataType { return geotest.Country([]string{"ES", "PT", "FR", "DE"}[n%4]) }

func files(b *testing.B) map[string][]byte {
	b.Helper()
	var tor strings.Builder
	for n := range 400_000 {
		fmt.Fprintf(&tor, "%d,%d,ES\n", 16777216+n*8192, 16777216+n*8192+8000)
	}
	return map[string][]byte{
		"country": geotest.Database{Records: networks(country)}.Bytes(b),
		"asn": geotest.Database{Type: "GeoLite2-ASN", Records: networks(func(n int) mmdbtype.DataType {
			return geotest.AS(uint32(n+1), fmt.Sprint("Provider ", n))
		})}.Bytes(b),
		"tor": []byte(tor.String()),
	}
}

// BenchmarkAnswer asks for addresses all over the file, known ones and others.
func BenchmarkAnswer(b *testing.B) {
	for name, text := range files(b) {
		b.Run(name, func(b *testing.B) {
			all := geo.Databases{read(b, name, text)}
			kind := engine.FactCountry
			if name == "asn" {
				kind = engine.FactASN
			}
			var questions []engine.Question
			for n := range uint32(4096) {
				spread := n * 2654435761
				questions = append(questions, engine.Question{Kind: kind,
					Address: netip.AddrFrom4([4]byte{byte(1 + spread>>24%200), byte(spread >> 16), byte(spread >> 8), 7})})
			}
			b.ReportAllocs()
			n := 0
			for b.Loop() {
				all.Answer(questions[n%len(questions)])
				n++
			}
		})
	}
}

// BenchmarkRead reads and verifies.
func BenchmarkRead(b *testing.B) {
	for name, text := range files(b) {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				read(b, name, text)
			}
		})
	}
}
