package geo_test

import (
	"os"
	"testing"

	"github.com/maxmind/mmdbwriter/mmdbtype"

	"sesame/daemon/geo"
	"sesame/daemon/geo/geotest"
)

// Whatever a file contains, it is refused or answers at once, with countries that exist.
func FuzzRead(f *testing.F) {
	for _, path := range testFiles(f) {
		text, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		if len(text) < 4096 { // mutations of long texts are slow
			f.Add(text)
		}
	}
	f.Add(geotest.Countries(f, map[string]string{"203.0.113.0/24": "ES", "2001:db8::/32": "FR"}))
	f.Add(geotest.Database{Version: 4, Bits: 28, Records: map[string]mmdbtype.DataType{"203.0.113.0/24": geotest.AS(3352, "Telefonica")}}.Bytes(f))
	f.Fuzz(func(t *testing.T, text []byte) {
		if d, err := geo.Read("x", text); err == nil {
			ask(t, d)
		}
	})
}

// The reader of files of tor-geoipdb alone: mutations of a binary file hardly reach it.
func FuzzTor(f *testing.F) {
	f.Add(torHeader + "16777216,16777471,AU\n16777472,16777472,UK\r\n\n16777480,16777489,EU\n")
	f.Add("2001:2::,2001:2::ff,JP\n2001:3::,2001:3::,??")
	f.Add("1,2,ES\n2001::,2001::,ES")
	f.Fuzz(func(t *testing.T, text string) {
		if d, err := geo.Read("x", []byte(text)); err == nil {
			ask(t, d)
		}
	})
}
