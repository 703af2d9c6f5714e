package geofile

import (
	"strings"
	"testing"
)

// What gets a newer database is named only where it has that database.
func TestHowToGetANewerDatabase(t *testing.T) {
	for name, want := range map[string]string{
		"GeoLite2-Country, 2026-08-01":  "geoipupdate",
		"GeoIP2-City, 2026-08-01":       "geoipupdate",
		"tor-geoip, 2026-08-01":         "apt install tor-geoipdb",
		"tor-geoip6, 2026-08-01":        "apt install tor-geoipdb",
		"DBIP-Country-Lite, 2026-08-01": "download a newer one",
	} {
		if got := Newer(name); !strings.Contains(got, want) {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}
