package control

import (
	"fmt"
	"strings"
	"time"

	"sesame/daemon/transcript"
	"sesame/daemon/writable"
)

// one returns a finding.
func one(next, format string, args ...any) []finding {
	return []finding{{fmt.Sprintf(format, args...), next}}
}

// nothing finds nothing: the row is found elsewhere.
func nothing(*Status) []finding { return nil }

func noScripts(s *Status) []finding {
	return because(s.State.SetUnloaded, fmt.Sprintf("the scripts at %s did not load when the daemon started, and neither did those that were applied last", s.Scripts.Path))
}

func lastGood(s *Status) []finding {
	if !s.Scripts.LastGood || s.LastReload.Hold != "" || s.State.SetUnloaded != "" {
		return nil
	}
	what, next := "failed", ""
	switch o := &s.LastReload.Outcome; {
	case len(o.Writable) > 0:
		next = mendThenReload
	case o.Outcome == Held: // what is held waits for a person
		what, next = "were held", "release the ports, or correct the scripts"
	}
	return one(next, "the scripts at %s %s when the daemon started: the set that was applied last runs instead", s.Scripts.Path, what)
}

func rejected(s *Status) []finding {
	if s.LastReload.testFailed() {
		return nil
	}
	return lastReload(s, Rejected, "rejected")
}

func testsFailed(s *Status) []finding {
	if !s.LastReload.testFailed() {
		return nil
	}
	return lastReload(s, Rejected, "rejected, since a test fails,")
}

// testFailed reports whether scripts were rejected because of a test.
func (o *Outcome) testFailed() bool {
	return o.Outcome == Rejected && o.Tests != nil && o.Tests.Failed > 0
}

func testsNotRun(s *Status) []finding {
	t := s.testsOfRunning()
	if t == nil || t.NotRunCount == 0 {
		return nil
	}
	return one("", "%s of the scripts that run had no time to run, the first is %q at %s:%d",
		transcript.Count(t.NotRunCount, "test"), t.NotRun[0].Name, t.NotRun[0].File, t.NotRun[0].Line)
}

func testsSkipped(s *Status) []finding {
	t := s.testsOfRunning()
	switch {
	case t == nil:
	case t.Off != "":
		return one("", "no test of the scripts that run was run: %s", t.Off)
	case t.SkippedCount > 0:
		return one("", "%s of the scripts that run did not run, the first is %q: %s", transcript.Count(t.SkippedCount, "test"), t.Skipped[0].Name, t.Skipped[0].Why)
	}
	return nil
}

// testsOfRunning returns what became of the tests of the scripts that run; nil: nothing is known.
func (s *Status) testsOfRunning() *Tests {
	switch s.LastReload.Outcome.Outcome {
	case Applied, Unchanged:
		return s.LastReload.Tests
	case Rejected, Held:
	}
	return nil
}

func held(s *Status) []finding {
	if s.LastReload.Hold != "" {
		return nil
	}
	found := lastReload(s, Held, "held")
	if len(s.LastReload.Outcome.Writable) > 0 {
		for i := range found {
			found[i].next = mendThenReload
		}
	}
	return found
}

func trialOver(s *Status) []finding {
	if s.LastReload.Hold != HeldByTrial {
		return nil
	}
	r, next := s.LastReload, ""
	if r.Trial != nil && r.Trial.From != "" { // these files are not watched, and a reload is about others
		next = fmt.Sprintf("correct them and try again: sesame reload --from %s --trial 10m; to end this line: sesame reload", r.Trial.From)
	}
	return one(next, "%s: generation %d, since %s", r.Error, s.Scripts.Generation, transcript.Clock(r.At))
}

func trialRuns(s *Status) []finding {
	if s.Trial == nil {
		return nil
	}
	text := fmt.Sprintf("generation %d is on trial until %s, for %s more; then the scripts before return", s.Scripts.Generation, transcript.Clock(s.Trial.Ends), transcript.Rounded(time.Duration(s.Trial.Remaining)))
	if len(s.Trial.Doors) > 0 {
		text += ", unless somebody opens " + strings.Join(s.Trial.Doors, " and ")
	}
	return one("", "%s", text)
}

func scriptsWait(s *Status) []finding {
	switch {
	case s.LastReload.Hold == HeldByReturn && s.LastReload.Trial != nil && s.LastReload.Trial.From != "": // others are not concerned
		return nil
	case s.LastReload.Hold == HeldByManual, s.LastReload.Hold == HeldByFrom, s.LastReload.Hold == HeldByReturn:
		return one("", "the files at %s wait: %s", s.Scripts.Path, s.LastReload.Error)
	case !s.waiting(), s.triedElsewhere():
		return nil
	case s.Trial != nil:
		return one("to try them, run: sesame reload --trial 10m", "the files at %s are not those on trial, and wait for its end", s.Scripts.Path)
	case s.Scripts.From != "":
		return one("", "the files at %s are not those that run, which are from %s", s.Scripts.Path, s.Scripts.From)
	}
	return one("", "the files at %s are not those that run, and wait, since the configuration says reload = \"manual\"", s.Scripts.Path)
}

// waiting reports whether files that differ from what runs wait for a person.
func (s *Status) waiting() bool {
	return s.drifts() && s.Scripts.Drift && s.Scripts.Unreadable == "" && (s.Scripts.Manual || s.Scripts.From != "" || s.Trial != nil)
}

// triedElsewhere reports whether the files are those from before a trial, and nothing waits.
func (s *Status) triedElsewhere() bool { return s.Trial != nil && s.Trial.From != "" }

func lastReload(s *Status, outcome ReloadOutcome, word string) []finding {
	r := s.LastReload
	if r.Outcome.Outcome != outcome {
		return nil
	}
	return one("", "the scripts were %s at %s, and generation %d still runs:\n%s", word, transcript.Clock(r.At), s.Scripts.Generation, r.Error)
}

// drifts reports whether the files differ from what runs for a reason that no other row tells.
func (s *Status) drifts() bool {
	outcome := s.LastReload.Outcome.Outcome
	return !s.Scripts.LastGood && outcome != Rejected && outcome != Held
}

func unreadable(s *Status) []finding {
	if !s.drifts() || s.Scripts.Unreadable == "" {
		return nil
	}
	return one("", "the files at %s are not those that run, and cannot be read: %s", s.Scripts.Path, s.Scripts.Unreadable)
}

func differ(s *Status) []finding {
	if !s.drifts() || !s.Scripts.Drift || s.Scripts.Unreadable != "" || s.waiting() {
		return nil
	}
	return one("", "the files at %s are not those that run", s.Scripts.Path)
}

// findBusy is what to do about a function that was ended by the clock.
const findBusy = "find out whether the machine was busy; a smaller function takes less time"

func scriptFails(s *Status) (all []finding) {
	for _, f := range s.Scripts.Failing {
		next := ""
		if f.Timeout {
			next = findBusy
		}
		what := "the handler " + f.Handler
		switch {
		case f.Function == "when":
			what = "a condition of door " + f.Door
		case f.Handler == "":
			what = f.Function + " of door " + f.Door
		}
		place := f.File
		if f.Line > 0 {
			place += fmt.Sprintf(":%d", f.Line)
		}
		all = append(all, one(next, "%s failed %s, last at %s, and did nothing: %s: %s",
			what, times(f.Count), transcript.Clock(f.At), place, f.Detail)...)
	}
	return all
}

func scriptTimeout(s *Status) (all []finding) {
	for _, t := range s.Scripts.Timeouts {
		place := t.File
		if t.Line > 0 {
			place += fmt.Sprintf(":%d", t.Line)
		}
		all = append(all, one(findBusy, "functions of %s were ended by the clock %s, last at %s: %s: %s",
			t.Script, times(t.Count), transcript.Clock(t.At), place, t.Detail)...)
	}
	return all
}

func limitRefuses(s *Status) []finding { return limits(s, true) }

func limitRefused(s *Status) []finding { return limits(s, false) }

// limits returns the doors that refused because of a bound: those that refuse now somebody who
// knows the sequence, or the others. A verdict that a scan of ports changes would say nothing.
func limits(s *Status, known bool) (all []finding) {
	for _, l := range s.Scripts.Limited {
		if known != (l.Now && !l.ByAnyone) {
			continue
		}
		what := "because of its limit " + l.Detail
		next := ""
		if l.Now && l.ByAnyone {
			next = "a scan of ports can cause this; a door of several knocks is not found so"
		}
		if l.Bound != "limit" {
			what = "because " + l.Detail
			if l.Now {
				next = "wait; sesame events shows who knocks"
			}
		}
		refused := "refused"
		if l.Now {
			refused = "refuses everybody now"
		}
		text := fmt.Sprintf("door %s %s %s: %s", l.Door, refused, what, transcript.Count(l.Count, "knock"))
		if l.Count > 1 {
			text += " from " + transcript.Clock(l.Since)
		}
		all = append(all, one(next, "%s, last at %s from %s", text, transcript.Clock(l.Last), l.Source)...)
	}
	return all
}

// mendThenReload is the next step for held scripts that others can change.
const mendThenReload = "mend that, then run: sesame reload"

func writableFiles(s *Status) []finding {
	if s.Scripts.WritableAllowed {
		return nil
	}
	return whoCanWrite(s)
}

func writableAllowed(s *Status) []finding {
	if !s.Scripts.WritableAllowed {
		return nil
	}
	return whoCanWrite(s)
}

func whoCanWrite(s *Status) []finding {
	if s.Scripts.Writable == "" {
		return nil
	}
	next := ""
	if mend := writable.Mend(s.Scripts.WritableFiles); mend != "" {
		next = "run: " + mend
	}
	return one(next, "users other than root can change who gets in and what is run: %s", s.Scripts.Writable)
}

func confined(s *Status) []finding {
	if !s.Scripts.Confined {
		return nil
	}
	return one("", "commands run with no more privileges than Sesame itself: %s", s.Privileges)
}

func sequencesUnread(s *Status) []finding {
	return because(s.Scripts.SequencesUnread, "one-time sequences could not be read, so their doors cannot be opened")
}

func cutIgnored(s *Status) []finding {
	if len(s.Scripts.CutIgnored) == 0 {
		return nil
	}
	return one("", "cut = true has no effect on TCP in set mode: doors %s", strings.Join(s.Scripts.CutIgnored, ", "))
}

func valuesUnread(s *Status) (all []finding) {
	for _, line := range s.Scripts.Unread {
		all = append(all, one("", "no script reads %s", line)...)
	}
	return all
}

func noDoor(s *Status) []finding {
	if s.Scripts.Generation == 0 || s.Scripts.Doors > 0 {
		return nil
	}
	return one("", "no script has a door: nobody can knock")
}

func usedUp(s *Status) (all []finding) {
	if s.State.SetUnloaded != "" {
		return nil // the one door is there for its guards alone
	}
	for _, door := range s.Scripts.UsedUp {
		next := ""
		if door.File != "" {
			next = "write new ones into " + door.File
		}
		all = append(all, one(next, "door %s cannot be opened: all of its one-time sequences are used", door.Door)...)
	}
	return all
}

// times returns "once" or "N times".
func times(n int) string {
	if n == 1 {
		return "once"
	}
	return transcript.Count(n, "time")
}
