package metrics

import (
	"time"

	"sesame/daemon/control"
	"sesame/daemon/engine"
)

func scriptFamilies() []family {
	return []family{
		{name: "sesame_doors", kind: gauge, progress: no,
			help:   "Doors of the scripts that are in force.",
			values: count(func(s *Snapshot) int { return s.Status.Scripts.Doors })},
		{name: "sesame_scripts_generation", kind: gauge, progress: no,
			help:   "1 for the scripts of the start, and one more for each reload that was applied.",
			values: count(func(s *Snapshot) int { return s.Status.Scripts.Generation })},
		{name: "sesame_scripts_loaded_timestamp_seconds", kind: gauge, progress: no,
			help:   "When the scripts that are in force were put in force.",
			values: stamp(func(s *Snapshot) time.Time { return s.Status.Scripts.Loaded })},
		{name: "sesame_scripts_drift", kind: gauge, progress: no,
			help:   "Whether the files on the disk differ from the scripts that are in force (1). It is looked at once a minute.",
			values: is(func(s *Snapshot) bool { return s.Status.Scripts.Drift })},
		{name: "sesame_scripts_last_good", kind: gauge, progress: no,
			help:   "Whether the scripts of an earlier run are in force, since the files failed at the start (1).",
			values: is(func(s *Snapshot) bool { return s.Status.Scripts.LastGood })},
		{name: "sesame_scripts_trial", kind: gauge, progress: no,
			help:   "Whether scripts are in force on trial, and go again unless they are confirmed (1).",
			values: is(func(s *Snapshot) bool { return s.Status.Trial != nil })},
		{name: "sesame_reloads_total", kind: counter, progress: no, labels: []string{"outcome"},
			help: "Reloads of scripts that had changed, by outcome. Unchanged is one that restored what is in force, or of files beside the scripts.",
			values: func(s *Snapshot, add add) {
				for _, outcome := range []control.ReloadOutcome{control.Applied, control.Unchanged, control.Rejected, control.Held} {
					add(float64(s.Reloads[outcome]), string(outcome))
				}
			}},
		{name: "sesame_last_reload_successful", kind: gauge, progress: no,
			help: "Whether the scripts on the disk were put in force when they changed last, or at the start (1). With 0 they were rejected or held.",
			values: is(func(s *Snapshot) bool {
				return !refused(s.Status.LastReload.Outcome.Outcome) && !s.Status.Scripts.LastGood
			})},
		{name: "sesame_script_errors_total", kind: counter, progress: yes,
			help:   "Functions and conditions of scripts that failed, those of delayed calls too.",
			values: count(func(s *Snapshot) int { return s.Status.Counts.Errors })},
		{name: "sesame_script_seconds_total", kind: counter, progress: yes,
			help: "For how long functions of scripts ran, those of delayed calls too. No packet is looked at meanwhile.",
			values: number(func(s *Snapshot) float64 {
				return sum(s.Doors, func(d *engine.DoorTotals) float64 { return d.Functions.Seconds() })
			})},
		{name: "sesame_script_timeouts", kind: gauge, progress: yes,
			help:   "Scripts of which a function was ended by the clock in the last hour.",
			values: count(func(s *Snapshot) int { return len(s.Status.Scripts.Timeouts) })},
	}
}

// refused reports whether a reload left the scripts as they were, against the wish of somebody.
func refused(o control.ReloadOutcome) bool { return o == control.Rejected || o == control.Held }

func sum(doors []engine.DoorTotals, value func(*engine.DoorTotals) float64) (all float64) {
	for i := range doors {
		all += value(&doors[i])
	}
	return all
}
