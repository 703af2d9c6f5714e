package control

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"sesame/daemon/transcript"
)

func setNotSaved(s *Status) []finding {
	return because(s.State.SetNotSaved, "the scripts could not be saved for the next start")
}

func journalUnwritable(s *Status) []finding {
	j := s.State.Journal
	if j.Unwritable == "" {
		return nil
	}
	return one("", "since %s the journal cannot be written, and %s not on the disk: %s", transcript.Clock(j.Since), are(j.Pending, "record"), j.Unwritable)
}

func privilegesKept(s *Status) []finding {
	return because(s.State.PrivilegesKept, "the daemon runs with all privileges of root")
}

func helperGone(s *Status) []finding {
	if s.Helper.Gone == "" {
		return nil
	}
	all := one("", "since %s the helper does not answer, so commands are refused: %s", transcript.Clock(s.Helper.Since), s.Helper.Gone)
	if s.Helper.Final {
		all[0].next = "start Sesame again, which starts its helper, too; pending undos run then"
	}
	return all
}

func undoLost(s *Status) (all []finding) {
	for _, lost := range s.Helper.LostUndos {
		all = append(all, one("", "an undo of door %s did not run, since the helper knows nothing of its command: %s", lost.Door, transcript.Command(lost.Argv))...)
	}
	return all
}

func undoFailed(s *Status) (all []finding) {
	for _, f := range s.Helper.FailedUndos {
		all = append(all, one("", "an undo of door %s failed, which the daemon had lost: %s: %s", f.Door, f.Command, f.Reason)...)
	}
	return all
}

// are returns "1 record is" or "2 records are".
func are(n int, noun string) string {
	if n == 1 {
		return transcript.Count(n, noun) + " is"
	}
	return transcript.Count(n, noun) + " are"
}

func damaged(s *Status) (all []finding) {
	for _, text := range s.State.Damaged {
		all = append(all, one("", "the journal was damaged when the daemon started: %s", text)...)
	}
	return all
}

func stateNewer(s *Status) (all []finding) {
	for _, text := range s.State.Newer {
		all = append(all, finding{text: text})
	}
	return all
}

func torn(s *Status) []finding {
	return because(s.State.Torn, "the journal was being written when the daemon or the machine stopped")
}

func syncNotSaved(s *Status) []finding {
	return because(s.State.SyncNotSaved, "the next start does not know that the clock was synchronised once")
}

// longQueue is a number of effects that a burst of knocks does not reach.
const longQueue = 1000

func queueLong(s *Status) []finding {
	if s.Effects.Queued < longQueue {
		return nil
	}
	return one("", "%s were decided and are not done yet", transcript.Count(s.Effects.Queued, "effect"))
}

// recent is how long a failure to give access counts: somebody knocked right, and stayed outside.
const recent = 10 * time.Minute

func grantFailed(s *Status) []finding { return failures(s, true) }

func effectFailed(s *Status) []finding { return failures(s, false) }

// failures returns the effects that failed: access that was not given of late, nor to anybody
// since, or the others.
func failures(s *Status, access bool) (all []finding) {
	for _, f := range s.Effects.Failures {
		if (f.Effect == "allow" && !f.GivenSince && s.Now.Sub(f.At) <= recent) != access || f.saidBy(s.Firewall.FullSets) {
			continue
		}
		who := ""
		if f.Source.IsValid() {
			who = " for " + f.Source.String()
		}
		if f.Door != "" {
			who += " (door " + f.Door + ")"
		}
		since := ""
		if f.GivenSince {
			since = "; access was given since"
		}
		all = append(all, one("", "%s%s failed at %s: %s%s", cmp.Or(effectWords[f.Effect], f.Effect), who, transcript.Clock(f.At), f.Detail, since)...)
	}
	const most = 5 // a hundred doors may fail
	if more := len(all) - most; more > 0 {
		all = append(one("", "%s failed before those that follow: sesame status --json", transcript.Count(more, "effect")), all[more:]...)
	}
	return all
}

// saidBy reports whether a failure is that one of these sets is full, which has a row of its own.
func (f *Failure) saidBy(full []FullSet) bool {
	return slices.ContainsFunc(full, func(set FullSet) bool {
		return strings.Contains(f.Detail, "set "+set.Set+" of table "+set.Table+" is full")
	})
}

// effectWords are the plain words for the names of effects.
var effectWords = map[string]string{
	"exec":  "a command",
	"undo":  "an undo command",
	"allow": "access",
	"mark":  "marking a one-time sequence as used",
}

func socketGone(s *Status) []finding {
	return because(s.SocketGone, "the control socket was deleted and cannot be made again")
}

func knockdLog(s *Status) []finding {
	return because(s.KnockdLog, "lines for those who read knockd's log cannot be written")
}

func auditLog(s *Status) []finding {
	return because(s.AuditLog, "entries of the audit log are not written to its file")
}

func serviceManager(s *Status) []finding {
	return because(s.ServiceManager, "the service manager cannot be notified")
}

func noDescriptors(s *Status) []finding {
	return because(s.NoDescriptors, "the daemon cannot open files")
}

func metricsUnserved(s *Status) []finding {
	return because(s.MetricsUnserved, "the metrics are not served")
}

func lookSlow(s *Status) []finding {
	return because(s.LookSlow, "a part of this status is of an earlier moment")
}

func clockDoubt(s *Status) []finding {
	if !s.ClockDoubt {
		return nil
	}
	return one("", "the clock of this machine is not synchronised, so windows of time refuse")
}

func clockSet(s *Status) []finding {
	offset := time.Duration(s.Offset)
	if offset.Abs() <= time.Second {
		return nil
	}
	return one("", "the wall clock was set by %s since the daemon started; the times of the transcript are as if it was not", transcript.Rounded(offset))
}
