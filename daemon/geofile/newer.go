package geofile

import "strings"

// Newer says how to get a newer version of a database, as a clause for people. Name is
// [geo.Database.Name]: it begins with the type, which says who made the database.
func Newer(name string) string {
	switch {
	case strings.HasPrefix(name, "tor-geoip"):
		return "get the newest of the distribution, for example with apt install tor-geoipdb"
	case strings.HasPrefix(name, "GeoLite2"), strings.HasPrefix(name, "GeoIP2"):
		return "get a newer one, for example with geoipupdate"
	}
	return "download a newer one from where it came"
}
