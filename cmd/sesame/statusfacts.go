//go:build linux

package main

import (
	"fmt"
	"strings"
	"time"

	"sesame/daemon/control"
	"sesame/daemon/geofile"
	"sesame/daemon/transcript"
)

// askedFor are the plain words for facts that databases have.
var askedFor = map[string]string{"country": "the country", "asn": "the autonomous system"}

// wrongFacts returns what is wrong with databases and with names of hosts.
func wrongFacts(s *control.Status) (all []string) {
	for _, d := range s.Geo.Databases {
		switch {
		case d.Wrong != "" && d.Name != "":
			all = append(all, fmt.Sprintf("database: %s; %s stays in force", d.Wrong, d.Name))
		case d.Wrong != "":
			all = append(all, "database: "+d.Wrong)
		}
	}
	for _, fact := range s.Geo.Missing {
		where := "name one with [geo] databases in sesame.toml"
		if s.Geo.Searched {
			where = "install one, such as Debian's tor-geoipdb or those of geoipupdate, or " + where
		}
		all = append(all, fmt.Sprintf("scripts ask for %s of a source, and no database has it: who needs it is refused as no_data; %s", askedFor[fact], where))
	}
	for _, h := range s.Hosts {
		if !h.Known && h.Failure != "" {
			all = append(all, fmt.Sprintf("host %s: %s", h.Name, h.Why))
		}
	}
	return all
}

// noteFacts returns what is worth knowing of databases and of names of hosts.
func noteFacts(s *control.Status) (all []string) {
	for _, d := range s.Geo.Databases {
		if age := s.Now.Sub(d.Built); !d.Built.IsZero() && age > geofile.Old {
			all = append(all, fmt.Sprintf("database %s is %s old: addresses have moved since; %s", d.Path, days(age), geofile.Newer(d.Name)))
		}
	}
	for _, h := range s.Hosts {
		if h.Known && h.Failure != "" {
			all = append(all, fmt.Sprintf("host %s: the last question failed (%s); its addresses of %s ago count", h.Name, h.Failure, ageOf(h)))
		}
	}
	return all
}

// days formats an age in days.
func days(age time.Duration) string { return transcript.Count(int(age.Hours()/24), "day") }

func ageOf(h control.Host) string {
	if h.Age == nil {
		return "some time"
	}
	return span(time.Duration(*h.Age))
}

// databaseList describes the databases in force.
func databaseList(s *control.Status) string {
	var texts []string
	for _, d := range s.Geo.Databases {
		if d.Name == "" {
			continue
		}
		text := d.Name
		if !d.Built.IsZero() {
			text += ", " + days(s.Now.Sub(d.Built)) + " old"
		}
		texts = append(texts, fmt.Sprintf("%s (%s, sha256 %s)", text, d.Has, d.SHA256[:min(12, len(d.SHA256))]))
	}
	return strings.Join(texts, "; ")
}

// hostList describes the names of hosts.
func hostList(s *control.Status) string {
	var texts []string
	for _, h := range s.Hosts {
		switch {
		case h.Age != nil:
			texts = append(texts, fmt.Sprintf("%s (%s, %s ago)", h.Name, countOfAddresses(len(h.Addresses)), ageOf(h)))
		default:
			texts = append(texts, h.Name+" (not known)")
		}
	}
	return strings.Join(texts, "; ")
}

func countOfAddresses(n int) string {
	if n == 1 {
		return "1 address"
	}
	return fmt.Sprintf("%d addresses", n)
}
