package geo_test

import (
	"os"
	"testing"

	"sesame/daemon/geo"
)

// Whatever a file contains, it is refused or answers at once, with countries that exist.
func FuzzRead(f *testing.F) {
	for _, path := range testFiles(f) {
		text, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
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
