package geofile

import (
	"cmp"
	"path/filepath"
	"slices"
	"time"

	"sesame/daemon/engine"
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

// candidates are the files that may tell a kind of fact, the best first. Those of one entry are
// used together.
type candidates struct {
	kind  engine.FactKind
	files [][]string
}

// find returns the candidates that are where packages put them. Of several versions the one that
// was written last is the best. The files of tor-geoipdb come behind all others.
func find(places, tor []string) []candidates {
	countries := candidates{engine.FactCountry, ranked(places, countryNames)}
	if there := slices.DeleteFunc(slices.Clone(tor), func(path string) bool { return !regular(path) }); len(there) > 0 {
		countries.files = append(countries.files, there)
	}
	return []candidates{countries, {engine.FactASN, ranked(places, asnNames)}}
}

// ranked returns the files of the first name, the newest first, then those of the second and so on.
func ranked(places, names []string) (all [][]string) {
	for _, name := range names {
		var there []string
		for _, place := range places {
			some, _ := filepath.Glob(filepath.Join(place, name)) // the pattern is right
			there = append(there, some...)
		}
		there = slices.DeleteFunc(there, func(path string) bool { return !regular(path) })
		slices.SortFunc(there, func(a, b string) int { return cmp.Or(modified(b).Compare(modified(a)), cmp.Compare(a, b)) })
		for _, path := range there {
			if !slices.ContainsFunc(all, func(other []string) bool { return other[0] == path }) {
				all = append(all, []string{path})
			}
		}
	}
	return all
}

// modified returns when a file was written; the zero time when it is gone.
func modified(path string) time.Time {
	if s, err := stampOf(path); err == nil {
		return s.info.ModTime()
	}
	return time.Time{}
}

// Places returns the directories in which databases are looked for.
func Places() []string { return slices.Concat(places, []string{filepath.Dir(torPlaces[0])}) }

// Found returns the files that a search may use now. Which of them it uses depends on what is in
// them.
func Found() (paths []string) {
	for _, c := range find(places, torPlaces) {
		paths = append(paths, slices.Concat(c.files...)...)
	}
	return paths
}

// regular reports whether a path leads to an ordinary file.
func regular(path string) bool {
	s, err := stampOf(path)
	return err == nil && s.info.Mode().IsRegular()
}
