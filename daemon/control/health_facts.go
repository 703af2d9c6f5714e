package control

import (
	"time"

	"sesame/daemon/geofile"
	"sesame/daemon/transcript"
)

// askedFor are the plain words for facts that databases have.
var askedFor = map[string]string{"country": "the country", "asn": "the autonomous system"}

func databaseBroken(s *Status) (all []finding) {
	for _, d := range s.Geo.Databases {
		switch {
		case d.Wrong != "" && d.Name != "":
			all = append(all, one("", "database: %s; %s stays in force", d.Wrong, d.Name)...)
		case d.Wrong != "":
			all = append(all, one("", "database: %s", d.Wrong)...)
		}
	}
	return all
}

func databaseMissing(s *Status) (all []finding) {
	for _, fact := range s.Geo.Missing {
		next := "name one with [geo] databases in sesame.toml"
		if s.Geo.Searched {
			next = "install one, such as Debian's tor-geoipdb or those of geoipupdate, or " + next
		}
		all = append(all, one(next, "scripts ask for %s of a source, and no database has it: who needs it is refused as no_data", askedFor[fact])...)
	}
	return all
}

func hostUnknown(s *Status) (all []finding) {
	for _, h := range s.Hosts {
		if !h.Known && h.Failure != "" {
			all = append(all, one("", "host %s: %s", h.Name, h.Why)...)
		}
	}
	return all
}

func namesUnread(s *Status) []finding {
	return because(s.NamesUnread, "names are not asked for at the right servers")
}

func databaseOld(s *Status) (all []finding) {
	for _, d := range s.Geo.Databases {
		if age := s.Now.Sub(d.Built); !d.Built.IsZero() && age > geofile.Old {
			all = append(all, one(geofile.Newer(d.Name), "database %s is %s old: addresses have moved since", d.Path, Days(age))...)
		}
	}
	return all
}

func hostStale(s *Status) (all []finding) {
	for _, h := range s.Hosts {
		if h.Known && h.Failure != "" {
			all = append(all, one("", "host %s: the last question failed (%s); its addresses of %s ago count", h.Name, h.Failure, h.AgeText())...)
		}
	}
	return all
}

// Days formats an age in days.
func Days(age time.Duration) string { return transcript.Count(int(age.Hours()/24), "day") }

// AgeText returns the age of the answer that counts.
func (h Host) AgeText() string {
	if h.Age == nil {
		return "some time"
	}
	return transcript.Rounded(time.Duration(*h.Age))
}
