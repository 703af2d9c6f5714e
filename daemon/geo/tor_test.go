package geo_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"sesame/daemon/engine"
	"sesame/daemon/geo"
)

const torHeader = "# Location Database Export\n#\n# Generated: Thu, 25 Jun 2026 04:33:59 GMT\n"

func TestTor(t *testing.T) {
	four := read(t, "/usr/share/tor/geoip", []byte(torHeader+"16777216,16777471,AU\n16777472,16777472,UK\r\n\n16777480,16777489,EU\n4294967295,4294967295,ES\n"))
	six := read(t, "geoip6", []byte("2001:2::,2001:2::ff,JP\n2001:3::,2001:3::,??"))
	for _, tt := range []struct{ address, want string }{
		{"1.0.0.0", "AU tor-geoip, 2026-06-25"},
		{"1.0.0.255", "AU tor-geoip, 2026-06-25"},
		{"1.0.1.0", "GB tor-geoip, 2026-06-25"},
		{"1.0.1.1", "? tor-geoip, 2026-06-25: it has no entry"},
		{"1.0.1.8", `? tor-geoip, 2026-06-25: it says "EU", which is no country`},
		{"0.255.255.255", "? tor-geoip, 2026-06-25: it has no entry"},
		{"255.255.255.255", "ES tor-geoip, 2026-06-25"},
		{"255.255.255.254", "? tor-geoip, 2026-06-25: it has no entry"},
		{"2001:2::", "JP tor-geoip6, of unknown age"},
		{"2001:2::ff", "JP tor-geoip6, of unknown age"},
		{"2001:2::100", "? tor-geoip6, of unknown age: it has no entry"},
		{"2001:3::", `? tor-geoip6, of unknown age: it says "??", which is no country`},
	} {
		if got := say(geo.Databases{four, six}, engine.FactCountry, tt.address); got != tt.want {
			t.Errorf("%s: got %s, want %s", tt.address, got, tt.want)
		}
	}
	if got := say(geo.Databases{four}, engine.FactCountry, "2001:2::"); got != "? tor-geoip, 2026-06-25: it has no IPv6 addresses" {
		t.Error(got)
	}
	if got := say(geo.Databases{six}, engine.FactCountry, "1.0.0.0"); got != "? tor-geoip6, of unknown age: it has no IPv4 addresses" {
		t.Error(got)
	}
	if got := fmt.Sprint(four.Content(), "; ", six.Content(), "; ", four.Built.Format(time.RFC3339)); got != "countries, IPv4; countries, IPv6; 2026-06-25T04:33:59Z" {
		t.Error(got)
	}
}

func TestWrongTorLines(t *testing.T) {
	const good = "# comment\n16777216,16777471,AU\n"
	for line, want := range map[string]string{
		"16777472,16777473":        `line 3: expected FIRST,LAST,COUNTRY such as "16777216,16777471,AU", got "16777472,16777473"`,
		"16777472,16777473,Spain":  `line 3: expected FIRST,LAST,COUNTRY such as "16777216,16777471,AU", got "16777472,16777473,Spain"`,
		"16777472,16777473,ES,x":   `line 3: expected FIRST,LAST,COUNTRY such as "16777216,16777471,AU", got "16777472,16777473,ES,x"`,
		"16777472,4294967296,ES":   `line 3: "4294967296" is neither an IPv4 address as a number nor an IPv6 address`,
		"-1,16777473,ES":           `line 3: "-1" is neither an IPv4 address as a number nor an IPv6 address`,
		"1.0.1.0,1.0.1.1,ES":       `line 3: "1.0.1.0" is neither an IPv4 address as a number nor an IPv6 address`,
		"fe80::1%eth0,fe80::2,ES":  `line 3: "fe80::1%eth0" is neither an IPv4 address as a number nor an IPv6 address`,
		"::ffff:1.0.1.0,::f,ES":    `line 3: "::ffff:1.0.1.0" is neither an IPv4 address as a number nor an IPv6 address`,
		"16777473,16777472,ES":     `line 3: "16777473,16777472,ES" ends before it begins`,
		"16777472,2001::,ES":       `line 3: "16777472,2001::,ES" begins and ends in different IP versions`,
		"2001::,2001::1,ES":        "line 3: it is of another IP version than the lines above",
		"16777471,16777473,ES":     "line 3: the range begins before the one above ends",
		"1,2,ES":                   "line 3: the range begins before the one above ends",
		strings.Repeat("x", 70000): `line 3: expected FIRST,LAST,COUNTRY such as "16777216,16777471,AU", got "` + strings.Repeat("x", 60) + `"`,
	} {
		if _, err := geo.Read("geoip", []byte(good+line+"\n5,6,ES\n")); err == nil || err.Error() != "geoip: "+want {
			t.Errorf("%.80s: got %v\nwant %s", line, err, want)
		}
	}
	var many strings.Builder
	for n := range 1<<20 + 1 {
		fmt.Fprintf(&many, "%d,%d,ES\n", n, n)
	}
	if _, err := geo.Read("geoip", []byte(many.String())); err == nil || err.Error() != "geoip: line 1048577: expected at most 1048576 ranges" {
		t.Error(err)
	}
}
