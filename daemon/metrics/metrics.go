// Package metrics turns a snapshot of the daemon into the text that Prometheus reads, and serves it
// at a TCP address.
//
// The tables families_*.go have all metrics, one in a row. A row says how its values are found in a
// [Snapshot], so that a scrape reads the daemon once and all values are of one moment. No label has
// what a stranger can choose: neither addresses nor bytes of packets.
package metrics

import (
	"time"

	"sesame/daemon/control"
	"sesame/daemon/effect"
	"sesame/daemon/engine"
)

// A Snapshot is what the daemon knew at one moment.
type Snapshot struct {
	Version string
	Now     time.Time // by the wall clock
	// Up means that the daemon's loop answered this time. Else all below is of an earlier moment.
	Up     bool
	Waited time.Duration // for the loop

	// Read is when all below was read, by the wall clock. Zero: the loop has never answered.
	Read   time.Time
	Status control.Status
	Doors  []engine.DoorTotals
	// Work has engine time, as EngineNow is.
	Work      effect.Work
	EngineNow time.Time
	Failed    map[string]int // effects that failed, by name
	Reloads   map[control.ReloadOutcome]int
	// Attempts and Grants are how many there may be.
	Attempts, Grants int
}

// age returns for how long something has waited, in seconds, at the time of the snapshot.
func (s *Snapshot) age(since time.Time) float64 {
	if since.IsZero() {
		return 0
	}
	return max(0, s.EngineNow.Sub(since).Seconds())
}

// A Family is the description of a metric.
type Family struct {
	Name   string // with the unit, and _total for a counter
	Type   string // "counter" or "gauge"
	Labels []string
	Help   string // what it is, in a sentence that begins with a capital letter
	Group  string // what it is about, for the documentation
	// Progress means that it moves before a sequence is complete: see [Audience].
	Progress bool
}

// Families returns all metrics of Sesame, in the order of the documentation. Beside them there are
// those about the process, see [Handler].
func Families() []Family {
	var all []Family
	for _, g := range groups() {
		for _, f := range g.families {
			all = append(all, Family{f.name, f.kind.String(), f.labels, f.help, g.about, f.progress != no})
		}
	}
	return all
}

// A kind is the type of a metric.
type kind int

const (
	counter kind = iota // it only grows, and begins at zero with the daemon
	gauge
)

func (k kind) String() string {
	if k == counter {
		return "counter"
	}
	return "gauge"
}

// A decision is made for each metric by a person. One that is forgotten counts as yes.
type decision int

const (
	undecided decision = iota
	no
	yes
)

// An Audience says who reads.
type Audience int

const (
	// Everyone is who can reach a TCP port. Who sees that one knock of a sequence was right finds
	// the others, too, one after the other, in a few tries each. So what moves before a sequence is
	// complete is left out.
	Everyone Audience = iota
	// Trusted gets all metrics.
	Trusted
)

// A group is a table of metrics.
type group struct {
	about    string
	families []family
}

// A family is one metric: a row of a table.
type family struct {
	name   string
	kind   kind
	labels []string
	help   string
	// progress says whether a knock can move it before a sequence is complete.
	progress decision
	// values gives all values to add, with the values of the labels in their order.
	values func(s *Snapshot, add add)
	// always means that the metric is there, too, when the loop has never answered.
	always bool
}

// An add takes one value of a metric.
type add func(value float64, labels ...string)

// groups returns all tables. A new one is a line here.
func groups() []group {
	return []group{
		{"The daemon", daemonFamilies()},
		{"Doors", doorFamilies()},
		{"Attempts and grants", grantFamilies()},
		{"Packets", packetFamilies()},
		{"Scripts", scriptFamilies()},
		{"Effects and commands", effectFamilies()},
		{"The journal", journalFamilies()},
		{"The firewall", firewallFamilies()},
		{"Databases, recorder and helper", machineFamilies()},
	}
}

// number is the values function of a metric without labels.
func number(value func(*Snapshot) float64) func(*Snapshot, add) {
	return func(s *Snapshot, add add) { add(value(s)) }
}

// count is number for an integer.
func count[N int | uint64](value func(*Snapshot) N) func(*Snapshot, add) {
	return func(s *Snapshot, add add) { add(float64(value(s))) }
}

// is is number for what is so or not.
func is(value func(*Snapshot) bool) func(*Snapshot, add) {
	return func(s *Snapshot, add add) { add(truth(value(s))) }
}

// stamp is number for a time, in seconds since 1970. There is no value while there is no time.
func stamp(value func(*Snapshot) time.Time) func(*Snapshot, add) {
	return func(s *Snapshot, add add) {
		if t := value(s); !t.IsZero() {
			add(seconds(t))
		}
	}
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

func seconds(t time.Time) float64 { return float64(t.UnixMilli()) / 1000 }
