package geofile

import (
	"cmp"
	"path/filepath"
	"slices"
	"time"
)

// places are the directories of databases: that of geoipupdate on Debian, that of other packages,
// and that of geoipupdate elsewhere.
var places = []string{"/var/lib/GeoIP", "/usr/share/GeoIP", "/usr/local/share/GeoIP"}

// Names of databases, the best first: bought ones, then free ones; small ones before large ones
// that have the same and more.
var (
	countryNames = []string{
		"GeoIP2-Country.mmdb", "GeoLite2-Country.mmdb", "dbip-country*.mmdb", "ipinfo_country*.mmdb", "ipinfo_lite.mmdb", "country*.mmdb",
		"*-country.mmdb", "GeoIP2-City*.mmdb", "GeoLite2-City.mmdb", "dbip-city*.mmdb",
	}
	asnNames = []string{"GeoLite2-ASN.mmdb", "GeoIP2-ISP.mmdb", "dbip-asn*.mmdb", "ipinfo_lite.mmdb", "ipinfo_asn*.mmdb", "asn*.mmdb", "*-asn.mmdb"}
)

// torPlaces are the files of Debian's package tor-geoipdb.
var torPlaces = []string{"/usr/share/tor/geoip", "/usr/share/tor/geoip6"}

// Find returns the paths of databases that are where packages put them: one for countries and one
// for AS numbers, or one for both. Of several versions it takes the one that was written last. Only
// when none of the others is there, it takes the files of tor-geoipdb.
func Find() []string { return find(places, torPlaces) }

func find(places, tor []string) []string {
	var paths []string
	for _, names := range [][]string{countryNames, asnNames} {
		if path := best(places, names); path != "" && !slices.Contains(paths, path) {
			paths = append(paths, path)
		}
	}
	if best(places, countryNames) == "" {
		for _, path := range tor {
			if regular(path) {
				paths = append(paths, path)
			}
		}
	}
	return paths
}

// best returns the newest file of the first name that is there; "" when none is.
func best(places, names []string) string {
	for _, name := range names {
		var there []string
		for _, place := range places {
			some, _ := filepath.Glob(filepath.Join(place, name)) // the pattern is right
			there = append(there, some...)
		}
		there = slices.DeleteFunc(there, func(path string) bool { return !regular(path) })
		if len(there) > 0 {
			return slices.MaxFunc(there, func(a, b string) int { return cmp.Or(modified(a).Compare(modified(b)), cmp.Compare(b, a)) })
		}
	}
	return ""
}

// modified returns when a file was written; the zero time when it is gone.
func modified(path string) time.Time {
	if s, err := stampOf(path); err == nil {
		return s.info.ModTime()
	}
	return time.Time{}
}

// Places returns the directories in which Find looks.
func Places() []string { return slices.Concat(places, []string{filepath.Dir(torPlaces[0])}) }

// regular reports whether a path leads to an ordinary file.
func regular(path string) bool {
	s, err := stampOf(path)
	return err == nil && s.info.Mode().IsRegular()
}
