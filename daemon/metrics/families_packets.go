package metrics

import (
	"sesame/daemon/engine"
	"sesame/daemon/packet"
)

func packetFamilies() []family {
	return []family{
		{name: "sesame_packets_total", kind: counter, progress: yes,
			help:   "Packets that passed the kernel's filter, which leaves out what no door needs.",
			values: count(func(s *Snapshot) int { return s.Status.Counts.Packets })},
		{name: "sesame_knocks_total", kind: counter, progress: yes,
			help:   "Packets that were a knock of some door, whatever came of it.",
			values: count(func(s *Snapshot) int { return s.Status.Counts.Knocks })},
		{name: "sesame_packets_dropped_total", kind: counter, progress: yes, labels: []string{"reason"},
			help: "Packets that no door was offered, by reason: see docs/transcript.md.",
			values: func(s *Snapshot, add add) {
				for d := packet.NotDropped + 1; d < packet.Drops; d++ {
					add(float64(s.Status.Counts.Dropped[d.String()]), d.String())
				}
			}},
		{name: "sesame_packets_lost_total", kind: counter, progress: no,
			help:   "Packets that the kernel had no room for: they came faster than they were looked at.",
			values: count(func(s *Snapshot) uint64 { return s.Status.Capture.Lost })},
		{name: "sesame_packets_clamped_total", kind: counter, progress: yes,
			help:   "Packets whose time stamp was before that of the packet before them.",
			values: count(func(s *Snapshot) int { return s.Status.Counts.Clamped })},
		{name: "sesame_interfaces", kind: gauge, progress: no,
			help:   "Interfaces on which packets are captured.",
			values: count(func(s *Snapshot) int { return len(s.Status.Capture.Interfaces) })},
		{name: "sesame_interfaces_missing", kind: gauge, progress: no,
			help:   "Interfaces of the configuration on which packets are not captured.",
			values: count(func(s *Snapshot) int { return len(s.Status.Capture.Missing) })},
	}
}

func grantFamilies() []family {
	return []family{
		{name: "sesame_attempts", kind: gauge, progress: yes,
			help:   "Attempts in progress, of all doors.",
			values: count(func(s *Snapshot) int { return s.Status.Live.Attempts })},
		{name: "sesame_attempts_limit", kind: gauge, progress: no,
			help:   "How many attempts there can be: limits.attempts of the configuration.",
			values: count(func(s *Snapshot) int { return s.Attempts })},
		{name: "sesame_grants", kind: gauge, progress: no, labels: []string{"by"},
			help: "Live grants: by a door, by a door that only observes, or by a person (sesame grant).",
			values: func(s *Snapshot, add add) {
				door, observed, person := 0, 0, 0
				for i := range s.Doors {
					switch d := &s.Doors[i]; {
					case d.Door == "":
						person += d.Grants
					case d.Observed:
						observed += d.Grants
					default:
						door += d.Grants
					}
				}
				add(float64(door), "door")
				add(float64(observed), "observed")
				add(float64(person), "person")
			}},
		{name: "sesame_person_grants_total", kind: counter, progress: no,
			help:   "Grants that persons gave, and extensions of them.",
			values: person(func(d *engine.DoorTotals) float64 { return float64(d.Given) })},
		{name: "sesame_person_granted_seconds_total", kind: counter, progress: no,
			help:   "For how long grants of persons lived, each by itself.",
			values: person(func(d *engine.DoorTotals) float64 { return d.Granted.Seconds() })},
		{name: "sesame_grants_limit", kind: gauge, progress: no,
			help:   "How many grants there can be: limits.grants of the configuration.",
			values: count(func(s *Snapshot) int { return s.Grants })},
		{name: "sesame_guarded_ports", kind: gauge, progress: no,
			help:   "Ports that are closed to all without a grant.",
			values: count(func(s *Snapshot) int { return len(s.Status.Guards) })},
	}
}

// person is the values function of a metric of grants that persons gave.
func person(value func(*engine.DoorTotals) float64) func(*Snapshot, add) {
	return number(func(s *Snapshot) float64 {
		for i := range s.Doors {
			if s.Doors[i].Door == "" {
				return value(&s.Doors[i])
			}
		}
		return 0
	})
}
