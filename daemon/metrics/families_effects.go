package metrics

import (
	"sesame/daemon/effect"
	"sesame/daemon/engine"
)

func effectFamilies() []family {
	return []family{
		{name: "sesame_effects_queued", kind: gauge, progress: yes,
			help:   "Effects that give something, such as access or a command, and are not done yet.",
			values: count(func(s *Snapshot) int { return s.Work.Queued })},
		{name: "sesame_effects_limit", kind: gauge, progress: no,
			help:   "How many such effects there can be; further ones are refused.",
			values: count(func(s *Snapshot) int { return s.Work.Places })},
		{name: "sesame_effects_oldest_seconds", kind: gauge, progress: no,
			help:   "For how long the effect waits that has waited longest: for the firewall, the journal, or its turn. 0: none waits.",
			values: number(func(s *Snapshot) float64 { return s.age(s.Work.Oldest) })},
		{name: "sesame_effects_failed_total", kind: counter, progress: yes, labels: []string{"effect"},
			help: "Effects that failed, by their name in docs/transcript.md.",
			values: func(s *Snapshot, add add) {
				for _, name := range engine.FailingEffects() {
					add(float64(s.Failed[name]), name)
				}
			}},
		{name: "sesame_commands_running", kind: gauge, progress: yes,
			help:   "Commands and undos that run, and lines of one-time sequences that are commented out.",
			values: count(func(s *Snapshot) int { return s.Work.Running })},
		{name: "sesame_commands_limit", kind: gauge, progress: no,
			help:   "How many commands run at once: limits.commands of the configuration.",
			values: count(func(s *Snapshot) int { return s.Work.Commands })},
		{name: "sesame_commands_waiting", kind: gauge, progress: yes,
			help:   "Commands and undos that wait for those before them. It is looked at once a second.",
			values: count(func(s *Snapshot) int { return s.Status.Effects.Waiting.Count })},
		{name: "sesame_commands_failing", kind: gauge, progress: yes,
			help:   "Commands that failed when they ran last.",
			values: count(func(s *Snapshot) int { return s.Status.Effects.FailingCount })},
		{name: "sesame_commands_total", kind: counter, progress: yes, labels: []string{"kind", "result"},
			help: "Commands that ended, by kind (command, undo) and result: ok, failed, hung when the time limit ended it, refused when it was not run.",
			values: func(s *Snapshot, add add) {
				for name, undo := range map[string]bool{"command": false, "undo": true} {
					for _, result := range effect.CommandResults() {
						add(float64(s.Work.Ran[effect.CommandOutcome{Undo: undo, Result: result}]), name, string(result))
					}
				}
			}},
	}
}

func journalFamilies() []family {
	return []family{
		{name: "sesame_journal_writes_total", kind: counter, progress: yes,
			help:   "Writes of records to the journal, those that failed too. One write may have many records.",
			values: count(func(s *Snapshot) int { return s.Work.Journal.Writes })},
		{name: "sesame_journal_write_failures_total", kind: counter, progress: no,
			help:   "Writes to the journal that failed.",
			values: count(func(s *Snapshot) int { return s.Work.Journal.Failures })},
		{name: "sesame_journal_write_seconds_total", kind: counter, progress: yes,
			help:   "For how long writes to the journal took, with the wait for the disk. Divided by the writes it is their latency.",
			values: number(func(s *Snapshot) float64 { return s.Work.Journal.Took.Seconds() })},
		{name: "sesame_journal_pending_records", kind: gauge, progress: yes,
			help:   "Records that are not on the disk yet.",
			values: count(func(s *Snapshot) int { return s.Work.Journal.Pending })},
		{name: "sesame_journal_oldest_seconds", kind: gauge, progress: no,
			help:   "For how long the write of records takes that is under way, or for how long none succeeds. 0: none is.",
			values: number(func(s *Snapshot) float64 { return s.age(s.Work.Journal.Oldest) })},
		{name: "sesame_journal_unwritable", kind: gauge, progress: no,
			help:   "Whether the journal cannot be written (1): then commands with an undo and one-time sequences are refused.",
			values: is(func(s *Snapshot) bool { return s.Status.State.Journal.Unwritable != "" })},
	}
}
