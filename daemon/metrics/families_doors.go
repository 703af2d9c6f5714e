package metrics

import (
	"sesame/daemon/engine"
)

// doorFamilies have the most series: for each door one of each metric, and one for each reason. See
// [SeriesOfDoor].
func doorFamilies() []family {
	door := []string{"door"}
	reason := []string{"door", "reason"}
	return []family{
		{name: "sesame_door_observed", kind: gauge, progress: no, labels: door,
			help:   "Whether the door only observes (1): it is decided and counted what it would do, and nothing is done.",
			values: each(func(d *engine.DoorTotals) float64 { return truth(d.Observed) })},
		{name: "sesame_door_attempts", kind: gauge, progress: yes, labels: door,
			help:   "Sources that have begun to knock at the door, and have time left.",
			values: each(func(d *engine.DoorTotals) float64 { return float64(d.Attempts) })},
		{name: "sesame_door_stages_total", kind: counter, progress: yes, labels: door,
			help:   "Knocks that were right and came in their turn, the last one too.",
			values: each(func(d *engine.DoorTotals) float64 { return float64(d.Stages) })},
		{name: "sesame_door_opens_total", kind: counter, progress: no, labels: door,
			help:   "How often the door opened.",
			values: each(func(d *engine.DoorTotals) float64 { return float64(d.Opens) })},
		{name: "sesame_door_refusals_total", kind: counter, progress: no, labels: reason,
			help:   "Right sequences for which the door did not open, by reason: see docs/transcript.md.",
			values: byReason(engine.RefusalReasons(), func(d *engine.DoorTotals) []int { return d.Refusals })},
		{name: "sesame_door_stage_refusals_total", kind: counter, progress: yes, labels: door,
			help:   "Right knocks before the last one that on_stage refused, or failed at.",
			values: each(func(d *engine.DoorTotals) float64 { return float64(d.Early) })},
		{name: "sesame_door_misses_total", kind: counter, progress: yes, labels: reason,
			help:   "Attempts that ended before the sequence was complete, by reason: see docs/transcript.md. Beside those, first_stage is one knock and no other in time, which is counted at a later first knock, and evicted one that had to make room.",
			values: byReason(engine.MissReasons(), func(d *engine.DoorTotals) []int { return d.Misses })},
		{name: "sesame_door_script_errors_total", kind: counter, progress: yes, labels: door,
			help:   "Functions and conditions of the door that failed.",
			values: each(func(d *engine.DoorTotals) float64 { return float64(d.Errors) })},
		{name: "sesame_door_script_seconds_total", kind: counter, progress: yes, labels: door,
			help:   "For how long functions of the door ran.",
			values: each(func(d *engine.DoorTotals) float64 { return d.Functions.Seconds() })},
		{name: "sesame_door_grants", kind: gauge, progress: no, labels: door,
			help:   "Grants of the door that are live.",
			values: each(func(d *engine.DoorTotals) float64 { return float64(d.Grants) })},
		{name: "sesame_door_grants_total", kind: counter, progress: no, labels: door,
			help:   "Grants that the door gave, of ports and of commands, and extensions of them.",
			values: each(func(d *engine.DoorTotals) float64 { return float64(d.Given) })},
		{name: "sesame_door_granted_seconds_total", kind: counter, progress: no, labels: door,
			help:   "For how long grants of the door lived, each by itself. Its rate is the mean number of live grants.",
			values: each(func(d *engine.DoorTotals) float64 { return d.Granted.Seconds() })},
	}
}

// SeriesOfDoor returns how many series there are for each door, at most.
func SeriesOfDoor() int {
	n := 0
	for _, f := range doorFamilies() {
		f.values(&Snapshot{Doors: []engine.DoorTotals{{
			Door: "d", Refusals: make([]int, len(engine.RefusalReasons())), Misses: make([]int, len(engine.MissReasons())),
		}}}, func(float64, ...string) { n++ })
	}
	return n
}

// each is the values function of a metric of doors.
func each(value func(*engine.DoorTotals) float64) func(*Snapshot, add) {
	return func(s *Snapshot, add add) {
		for i := range s.Doors {
			if d := &s.Doors[i]; d.Door != "" {
				add(value(d), d.Door)
			}
		}
	}
}

// byReason is the same for one with a value for each reason.
func byReason(reasons []engine.Reason, values func(*engine.DoorTotals) []int) func(*Snapshot, add) {
	return func(s *Snapshot, add add) {
		for i := range s.Doors {
			d := &s.Doors[i]
			for j, n := range values(d) {
				if d.Door != "" {
					add(float64(n), d.Door, string(reasons[j]))
				}
			}
		}
	}
}
