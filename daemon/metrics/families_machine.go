package metrics

import (
	"time"
)

func firewallFamilies() []family {
	return []family{
		{name: "sesame_firewall_ok", kind: gauge, progress: no,
			help:   "Whether the kernel has the rules that it should have (1). With 0 they cannot be repaired, and ports may be open to everyone.",
			values: is(func(s *Snapshot) bool { return s.Status.Firewall.State == "ok" })},
		{name: "sesame_firewall_repairs_total", kind: counter, progress: no,
			help:   "How often the rules were repaired after another program changed them.",
			values: count(func(s *Snapshot) int { return s.Status.Firewall.Repairs })},
		{name: "sesame_firewall_repaired_timestamp_seconds", kind: gauge, progress: no,
			help:   "When that was last. There is no value while it never was.",
			values: stamp(func(s *Snapshot) time.Time { return s.Status.Firewall.Repaired })},
		{name: "sesame_firewall_conflicts", kind: gauge, progress: no,
			help:   "Chains of other programs that drop granted packets, or may drop them.",
			values: count(func(s *Snapshot) int { return len(s.Status.Firewall.Conflicts) })},
		{name: "sesame_firewall_full_sets", kind: gauge, progress: no,
			help:   "Sets of your own, in set mode, that have no room for a grant.",
			values: count(func(s *Snapshot) int { return len(s.Status.Firewall.FullSets) })},
		{name: "sesame_conntrack_flows", kind: gauge, progress: no,
			help:   "Flows that the kernel tracks in the network namespace of the daemon.",
			values: count(func(s *Snapshot) int { return s.Status.Firewall.Conntrack.Flows })},
		{name: "sesame_conntrack_limit", kind: gauge, progress: no,
			help:   "How many flows the kernel has room for; 0: it tracks none.",
			values: count(func(s *Snapshot) int { return s.Status.Firewall.Conntrack.Room })},
	}
}

func machineFamilies() []family {
	path := []string{"path"}
	return []family{
		{name: "sesame_database_usable", kind: gauge, progress: no, labels: path,
			help: "Whether the file of a database about addresses can be used as it is on the disk (1).",
			values: func(s *Snapshot, add add) {
				for _, d := range s.Status.Geo.Databases {
					add(truth(d.Wrong == "" && d.Name != ""), d.Path)
				}
			}},
		{name: "sesame_database_built_timestamp_seconds", kind: gauge, progress: no, labels: path,
			help: "When a database was made, by its own account. There is no value for one that does not say it.",
			values: func(s *Snapshot, add add) {
				for _, d := range s.Status.Geo.Databases {
					if !d.Built.IsZero() {
						add(seconds(d.Built), d.Path)
					}
				}
			}},
		{name: "sesame_recorder_bytes", kind: gauge, progress: yes,
			help:   "Memory that the flight recorder uses.",
			values: count(func(s *Snapshot) int { return s.Status.Recorder.Bytes })},
		{name: "sesame_recorder_begin_timestamp_seconds", kind: gauge, progress: yes,
			help:   "When the first input came that a recording would have. There is no value while nothing is recorded.",
			values: stamp(func(s *Snapshot) time.Time { return s.Status.Recorder.From })},
		{name: "sesame_recorder_blind", kind: gauge, progress: yes,
			help:   "Whether inputs come too fast to be recorded (1).",
			values: is(func(s *Snapshot) bool { return s.Status.Recorder.Blind })},
		{name: "sesame_helper_used", kind: gauge, progress: no,
			help:   "Whether a helper reads scripts and runs commands for the daemon (1).",
			values: is(func(s *Snapshot) bool { return s.Status.Helper.Used })},
		{name: "sesame_helper_up", kind: gauge, progress: no,
			help:   "Whether the helper answers (1). It is 0, too, when none is used.",
			values: is(func(s *Snapshot) bool { return s.Status.Helper.Used && s.Status.Helper.Gone == "" })},
	}
}
