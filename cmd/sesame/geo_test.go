package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sesame/daemon/geo"
	"sesame/daemon/geo/geotest"
	"sesame/daemon/geofile"
)

// A database is old from the day after its sixtieth on.
func TestOldDatabases(t *testing.T) {
	path := filepath.Join(t.TempDir(), "country.mmdb")
	if err := os.WriteFile(path, geotest.Countries(t, map[string]string{"203.0.113.0/24": "ES"}), 0o600); err != nil {
		t.Fatal(err)
	}
	d, err := geofile.Read(path)
	if err != nil {
		t.Fatal(err)
	}
	for days, want := range map[int]string{0: "", 60: "", 61: path + ": geo-old: GeoLite2-Country, 2026-11-20 is 61 days old"} {
		var got []string
		for _, f := range oldDatabases(geo.Databases{d}, geotest.Built.Add(time.Duration(days)*24*time.Hour)) {
			got = append(got, f.String())
		}
		if strings.Join(got, "\n") != want {
			t.Errorf("after %d days: %q, want %q", days, got, want)
		}
	}
}
