package metrics

import (
	"runtime"
	"time"

	"sesame/daemon/control"
)

func daemonFamilies() []family {
	return []family{
		{name: "sesame_build_info", kind: gauge, progress: no, labels: []string{"version", "goversion"}, always: true,
			help:   "Always 1; the labels have the version of Sesame, and that of Go that it was built with.",
			values: func(s *Snapshot, add add) { add(1, s.Version, runtime.Version()) }},
		{name: "sesame_up", kind: gauge, progress: no, always: true,
			help:   "Whether the loop of the daemon answered this time (1). With 0 all other values are of an earlier moment, or missing.",
			values: is(func(s *Snapshot) bool { return s.Up })},
		{name: "sesame_read_timestamp_seconds", kind: gauge, progress: no,
			help:   "When the values were read from the daemon. Several scrapes in a second get the same ones.",
			values: stamp(func(s *Snapshot) time.Time { return s.Read })},
		{name: "sesame_loop_wait_seconds", kind: gauge, progress: yes,
			help:   "For how long the loop was busy with other things before it answered this time.",
			values: number(func(s *Snapshot) float64 { return s.Waited.Seconds() })},
		{name: "sesame_observing", kind: gauge, progress: no,
			help:   "Whether the daemon only observes (1): it guards, opens and runs nothing.",
			values: is(func(s *Snapshot) bool { return s.Status.Mode == control.Observe })},
		{name: "sesame_health", kind: gauge, progress: no, labels: []string{"verdict"},
			help: "Whether this is the verdict of sesame status (1): ok, degraded or broken.",
			values: func(s *Snapshot, add add) {
				for _, verdict := range []control.Verdict{control.OK, control.Degraded, control.Broken} {
					add(truth(s.Status.Health.Verdict == verdict), string(verdict))
				}
			}},
		{name: "sesame_health_reason", kind: gauge, progress: no, labels: []string{"code", "severity"},
			help:   "Whether this is among the reasons or notes of sesame status (1). docs/running.md lists the codes.",
			values: healthReasons},
	}
}

func healthReasons(s *Snapshot, add add) {
	there := map[string]bool{}
	for _, reasons := range [][]control.Reason{s.Status.Health.Reasons, s.Status.Health.Notes} {
		for _, r := range reasons {
			there[r.Code] = true
		}
	}
	for _, c := range control.HealthCodes() {
		add(truth(there[c.Code]), c.Code, c.Severity)
	}
}
