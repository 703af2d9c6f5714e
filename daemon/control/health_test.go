package control

import (
	"bytes"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sesame/daemon/reach"
)

// well is the status of a daemon with which nothing is wrong.
func well() Status {
	s := Status{Version: "1.2", Mode: Enforce, Now: noonOf(1), Since: noonOf(0)}
	s.Scripts = Scripts{Path: "/etc/sesame/scripts", Generation: 1, Doors: 1}
	s.Capture.Interfaces = []string{"eth0"}
	s.Firewall = Firewall{State: "ok", Mode: "guard"}
	return s
}

// noonOf returns noon of a day in March.
func noonOf(day int) time.Time { return time.Date(2026, 3, day, 12, 0, 0, 0, time.UTC) }

// triggers has for each row a change of a status that is well, after which exactly this row holds.
var triggers = map[string]func(*Status){
	"no-scripts": func(s *Status) {
		s.Scripts.LastGood, s.Scripts.Drift, s.State.SetUnloaded = true, true, "a.lua:1: what"
		s.Scripts.UsedUp = []UsedUp{{Door: "no scripts", File: "/none"}}
	},
	"last-good-set":    func(s *Status) { s.Scripts.LastGood, s.Scripts.Drift = true, true },
	"scripts-rejected": func(s *Status) { s.LastReload.Outcome.Outcome, s.Scripts.Drift = Rejected, true },
	"tests-failed": func(s *Status) {
		s.LastReload.Outcome.Outcome, s.LastReload.Tests, s.Scripts.Drift = Rejected, &Tests{Failed: 1}, true
	},
	"tests-not-run": func(s *Status) {
		s.LastReload.Outcome.Outcome, s.LastReload.Tests = Applied, &Tests{NotRun: []Untested{{Name: "a"}}, NotRunCount: 1}
	},
	"tests-skipped": func(s *Status) {
		s.LastReload.Outcome.Outcome, s.LastReload.Tests = Unchanged, &Tests{Skipped: []Untested{{Name: "a"}}, SkippedCount: 1}
	},
	"scripts-held": func(s *Status) { s.LastReload.Outcome.Outcome, s.Scripts.Drift = Held, true },
	"trial-over": func(s *Status) {
		s.LastReload.Outcome.Outcome, s.LastReload.Hold, s.Scripts.Drift, s.Scripts.LastGood = Held, HeldByTrial, true, true
	},
	"trial-runs":         func(s *Status) { s.Trial, s.Scripts.Drift = &Trial{State: TrialRuns, Doors: []string{"ssh"}}, false },
	"scripts-wait":       func(s *Status) { s.Scripts.Manual, s.Scripts.Drift = true, true },
	"scripts-unreadable": func(s *Status) { s.Scripts.Unreadable, s.Scripts.Drift = "permission denied", true },
	"scripts-differ":     func(s *Status) { s.Scripts.Drift = true },
	"script-timeout": func(s *Status) {
		s.Scripts.Timeouts = []ScriptTimeout{{Script: "a.lua", File: "lib/b.lua", Line: 7, Detail: "stopped", Count: 2}}
	},
	"script-fails":   func(s *Status) { s.Scripts.Failing = []Failing{{Door: "ssh", Function: "on_open", File: "a.lua"}} },
	"limit-refuses":  func(s *Status) { s.Scripts.Limited = []Limited{{Door: "ssh", Bound: "limit", Now: true, Count: 1}} },
	"writable-files": func(s *Status) { s.Scripts.Writable = "/etc/a.lua (owner 1000, mode 0644)" },
	"writable-allowed": func(s *Status) {
		s.Scripts.Writable, s.Scripts.WritableAllowed = "/etc/a.lua (owner 1000, mode 0644)", true
	},
	"commands-confined": func(s *Status) { s.Scripts.Confined = true },
	"no-door":           func(s *Status) { s.Scripts.Doors = 0 },
	"sequences-used-up": func(s *Status) { s.Scripts.UsedUp = []UsedUp{{Door: "once"}} },
	"limit-refused":     func(s *Status) { s.Scripts.Limited = []Limited{{Door: "ssh", Bound: "limit", Count: 1}} },
	"firewall-broken":   func(s *Status) { s.Firewall.State = "permission denied" },
	"firewall-blocks": func(s *Status) {
		s.Firewall.Conflicts = []Conflict{{Table: "inet filter", Chain: "input", Seen: &Measured{Reached: Reached{Outcome: reach.Dropped}}}}
	},
	"set-full": func(s *Status) {
		s.Firewall.FullSets = []FullSet{{Set: "k", Table: "inet filter", Elements: 1, Size: 1}}
	},
	"firewall-may-block": func(s *Status) { s.Firewall.Conflicts = []Conflict{{Table: "inet filter", Chain: "input"}} },
	"names-unread":       func(s *Status) { s.NamesUnread = "open /etc/resolv.conf: permission denied" },
	"rules-unread":       func(s *Status) { s.Firewall.RulesUnread = "the process has ended" },
	"unmeasured":         func(s *Status) { s.Firewall.Unmeasured = "operation not supported" },
	"nobody-answers": func(s *Status) {
		s.Reached = []Measured{{Reached: Reached{Outcome: reach.Unanswered, Last: s.Now}}}
	},
	"turned-away":          func(s *Status) { s.TurnedAway = []TurnedAway{{Text: "198.51.100.9 opened ssh"}} },
	"knock-split":          func(s *Status) { s.SplitKnocks = []SplitKnock{{Text: "knock 2 came from 198.51.100.9", Last: s.Now}} },
	"firewall-unwatched":   func(s *Status) { s.Firewall.Unwatched = "no buffer space available" },
	"firewall-unseen":      func(s *Status) { s.Firewall.Unseen = "permission denied" },
	"table-changed":        func(s *Status) { s.Firewall.Repairs = 1 },
	"no-interface":         func(s *Status) { s.Capture.Interfaces = nil },
	"interface-missing":    func(s *Status) { s.Capture.Missing = []string{"wg0 is down"} },
	"packets-lost":         func(s *Status) { s.Capture.Lost = 1 },
	"filter-coarse":        func(s *Status) { s.Capture.Coarse = true },
	"recorder-blind":       func(s *Status) { s.Recorder.Blind = true },
	"set-not-saved":        func(s *Status) { s.State.SetNotSaved = "no space left on device" },
	"journal-damaged":      func(s *Status) { s.State.Damaged = []string{"journal:3: the line is damaged"} },
	"journal-torn":         func(s *Status) { s.State.Torn = "journal: its last line is not whole" },
	"clock-sync-not-saved": func(s *Status) { s.State.SyncNotSaved = "no space left on device" },
	"privileges-kept":      func(s *Status) { s.State.PrivilegesKept = "the disk does not answer" },
	"helper-gone":          func(s *Status) { s.Helper.Gone = "it does not answer" },
	"state-newer":          func(s *Status) { s.State.Newer = []string{"the journal has version 3"} },
	"undo-lost":            func(s *Status) { s.Helper.LostUndos = []LostUndo{{Door: "a", Argv: []string{"/sbin/x"}}} },
	"undo-failed":          func(s *Status) { s.Helper.FailedUndos = []FailedUndo{{Door: "a", Command: "/x", Reason: "no"}} },
	"journal-unwritable":   func(s *Status) { s.State.Journal.Unwritable = "no space left on device" },
	"queue-long":           func(s *Status) { s.Effects.Queued = longQueue },
	"effect-failed":        func(s *Status) { s.Effects.Failures = []Failure{{Effect: "exec"}} },
	"command-missing": func(s *Status) {
		s.Scripts.Unrunnable, s.Scripts.UnrunnableCount = []Unrunnable{{Command: "audit", Program: "/bin/audit"}}, 1
	},
	"command-fails": func(s *Status) {
		s.Effects.FailingCommands, s.Effects.FailingCount = []FailingCommand{{Command: "/bin/x"}}, 1
	},
	"command-status": func(s *Status) {
		s.Effects.FailingCommands, s.Effects.AnyStatusCount = []FailingCommand{{Command: "/bin/x", AnyStatus: true}}, 1
	},
	"commands-waiting": func(s *Status) { s.Effects.Waiting = WaitingCommands{Count: 16, PilingUp: true} },
	"grant-failed":     func(s *Status) { s.Effects.Failures = []Failure{{Effect: "allow", At: s.Now.Add(-recent)}} },
	"conntrack-full":   func(s *Status) { s.Firewall.Conntrack = Conntrack{Flows: 95, Room: 100} },
	"socket-gone":      func(s *Status) { s.SocketGone = "read-only file system" },
	"audit-log":        func(s *Status) { s.AuditLog = "no space left on device" },
	"knockd-log":       func(s *Status) { s.KnockdLog = "no space left on device" },
	"service-manager":  func(s *Status) { s.ServiceManager = "connection refused" },
	"no-descriptors":   func(s *Status) { s.NoDescriptors = "too many open files" },
	"metrics-unserved": func(s *Status) { s.MetricsUnserved = "address already in use" },
	"look-slow":        func(s *Status) { s.LookSlow = "the files were not read within 1s" },
	"sequences-unread": func(s *Status) { s.Scripts.SequencesUnread = "permission denied" },
	"values-unread":    func(s *Status) { s.Scripts.Unread = []string{`1 stored value of "a.lua"`} },
	"cut-ignored":      func(s *Status) { s.Scripts.CutIgnored = []string{"ssh"} },
	"clock-doubt":      func(s *Status) { s.ClockDoubt = true },
	"clock-set":        func(s *Status) { s.Offset = Duration(-2 * time.Second) },
	"database-broken":  func(s *Status) { s.Geo.Databases = []Database{{Path: "a.mmdb", Wrong: "it is empty"}} },
	"database-missing": func(s *Status) { s.Geo.Missing = []string{"asn"} },
	"host-unknown":     func(s *Status) { s.Hosts = []Host{{Name: "a.example.net", Why: "no answer", Failure: "no answer"}} },
	"database-old":     func(s *Status) { s.Geo.Databases = []Database{{Name: "Old", Built: s.Now.AddDate(0, 0, -61)}} },
	"host-stale":       func(s *Status) { s.Hosts = []Host{{Name: "a.example.net", Known: true, Failure: "no answer"}} },
}

// TestAFullSetIsToldOnce: its row is the reason, and not the grants that failed because of it.
func TestAFullSetIsToldOnce(t *testing.T) {
	for set, want := range map[string][]string{"k": {"set-full"}, "k6": {"set-full", "grant-failed"}} {
		s := well()
		s.Firewall.FullSets = []FullSet{{Set: set, Table: "inet filter", Elements: 1, Size: 1}}
		s.Effects.Failures = []Failure{{Effect: "allow", At: s.Now, Detail: "set k of table inet filter is full (1 element, size 1)"}}
		var got []string
		for _, r := range HealthOf(&s).Reasons {
			got = append(got, r.Code)
		}
		if !slices.Equal(got, want) {
			t.Errorf("set %s: %v, want %v", set, got, want)
		}
	}
}

// TestHealthRows checks that each row holds for a status of its own, and for none of the others.
func TestHealthRows(t *testing.T) {
	for _, r := range rows() {
		if r.code == oldDaemon {
			continue // the client finds it: TestHealthOfAnOldDaemon
		}
		trigger := triggers[r.code]
		if trigger == nil {
			t.Errorf("%s: no trigger in this test", r.code)
			continue
		}
		s := well()
		trigger(&s)
		h := HealthOf(&s)
		want := Verdict(r.severity)
		found := h.Reasons
		if r.severity == isNote {
			want, found = OK, h.Notes
		}
		if h.Verdict != want || len(h.Reasons)+len(h.Notes) != 1 || len(found) != 1 || found[0].Code != r.code || found[0].Text == "" {
			t.Errorf("%s: got %+v", r.code, h)
		}
		if len(found) == 1 && found[0].Broken != (r.severity == isBroken) {
			t.Errorf("%s: broken is %t", r.code, found[0].Broken)
		}
		if len(found) == 1 && r.severity != isNote && found[0].Next == "" {
			t.Errorf("%s: no next step", r.code)
		}
	}
	for code := range triggers {
		if !slices.ContainsFunc(rows(), func(r row) bool { return r.code == code }) {
			t.Errorf("%s: no row has this code", code)
		}
	}
}

func TestHealthOfADaemonThatIsWell(t *testing.T) {
	s := well()
	if h := HealthOf(&s); h.Verdict != OK || h.Reasons != nil || h.Notes != nil {
		t.Errorf("got %+v", h)
	}
}

// TestHealthBoundaries has what is just not wrong.
func TestHealthBoundaries(t *testing.T) {
	s := well()
	s.Effects.Queued = longQueue - 1
	s.Offset = Duration(time.Second)
	s.Geo.Databases = []Database{{Name: "New", Built: s.Now.AddDate(0, 0, -60)}}
	s.Hosts = []Host{{Name: "new.example.net", Why: "it was not asked for yet"}}
	s.LastReload.Outcome.Outcome = Applied
	s.Firewall.Conntrack = Conntrack{Flows: 94, Room: 100}
	if h := HealthOf(&s); h.Verdict != OK || h.Notes != nil {
		t.Errorf("got %+v", h)
	}
}

// An access that was not given long ago is a note.
func TestHealthOfAnEarlierFailure(t *testing.T) {
	s := well()
	s.Effects.Failures = []Failure{{Effect: "allow", At: s.Now.Add(-recent - 1)}}
	if h := HealthOf(&s); h.Verdict != OK || len(h.Notes) != 1 || h.Notes[0].Code != "effect-failed" {
		t.Errorf("got %+v", h)
	}
}

// TestHealthOrder checks that what is broken comes first, and that the verdict is the worst.
func TestHealthOrder(t *testing.T) {
	s := well()
	s.Scripts.Drift, s.Capture.Interfaces, s.Firewall.State = true, nil, "gone"
	h := HealthOf(&s)
	var codes []string
	for _, r := range h.Reasons {
		codes = append(codes, r.Code)
	}
	if want := []string{"firewall-broken", "no-interface", "scripts-differ"}; h.Verdict != Broken || !slices.Equal(codes, want) {
		t.Errorf("got %s: %v, want %v", h.Verdict, codes, want)
	}
}

func TestHealthOfAnOldDaemon(t *testing.T) {
	old := well()
	old.withHealth()
	if h := old.Health; h.Verdict != Degraded || len(h.Reasons) != 1 || h.Reasons[0].Code != oldDaemon || h.Reasons[0].Next == "" {
		t.Errorf("an old daemon that is well: got %+v", h)
	}
	ill := well()
	ill.Firewall.State = "gone"
	ill.withHealth()
	if h := ill.Health; h.Verdict != Broken || len(h.Reasons) != 2 {
		t.Errorf("an old daemon that is not: got %+v", h)
	}
	now := well()
	now.Health = Health{Verdict: Degraded, Reasons: []Reason{{Code: "of-tomorrow", Text: "something new"}}}
	want := now.Health
	now.withHealth()
	if !cmp.Equal(now.Health, want) {
		t.Errorf("the verdict of the daemon was replaced by %+v", now.Health)
	}
}

func TestReasonText(t *testing.T) {
	for _, c := range []struct {
		reason Reason
		want   string
	}{
		{Reason{Text: "it is gone"}, "it is gone"},
		{Reason{Text: "it is gone", Next: "get it"}, "it is gone; get it"},
		{Reason{Text: "errors:\na:1: x\n", Next: "correct them"}, "errors:\na:1: x\ncorrect them"},
	} {
		if got := c.reason.String(); got != c.want {
			t.Errorf("%+v: got %q, want %q", c.reason, got, c.want)
		}
	}
}

// A door that strangers can knock at does not change the verdict, whatever it refuses.
func TestLimitsThatStrangersReach(t *testing.T) {
	s := well()
	s.Scripts.Limited = []Limited{
		{Door: "bell", Bound: "limit", Detail: "1/m", Now: true, ByAnyone: true, Count: 1},
		{Door: "beacon", Bound: "steps", Detail: "they run too long", Now: true, ByAnyone: true, Count: 1},
	}
	h := HealthOf(&s)
	if h.Verdict != OK || len(h.Notes) != 2 {
		t.Fatalf("got %+v", h)
	}
	for i, want := range []string{
		"door bell refuses everybody now because of its limit 1/m: 1 knock, last at",
		"door beacon refuses everybody now because they run too long: 1 knock, last at",
	} {
		if got := h.Notes[i]; got.Code != "limit-refused" || !strings.HasPrefix(got.Text, want) || got.Next == "" {
			t.Errorf("got %+v, want %q and a next step", got, want)
		}
	}
}

// TestHealthTexts checks that findings name who is concerned.
func TestHealthTexts(t *testing.T) {
	source := netip.MustParseAddr("203.0.113.9")
	s := well()
	s.Scripts.Limited = []Limited{{Door: "bell", Bound: "limit", Detail: "3/h", Now: true, Since: noonOf(0), Last: noonOf(1), Source: source, Count: 2}}
	want := "door bell refuses everybody now because of its limit 3/h: 2 knocks from 2026-02-28 12:00:00 UTC, last at 2026-03-01 12:00:00 UTC from 203.0.113.9"
	if got := HealthOf(&s).Reasons[0].Text; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

const running = "../../docs/running.md"

// TestHealthDocumented compares the table of codes in docs/running.md with the rows. With UPDATE in
// the environment it writes the table.
func TestHealthDocumented(t *testing.T) {
	const head = "| code | verdict | what is found | next step |\n| --- | --- | --- | --- |\n"
	var table bytes.Buffer
	for _, r := range rows() {
		fmt.Fprintf(&table, "| `%s` | %s | %s | %s |\n", r.code, r.severity, r.found, r.next)
	}
	text, err := os.ReadFile(running)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, found := strings.Cut(string(text), head)
	old, after, ended := strings.Cut(rest, "|\n\n")
	if !found || !ended {
		t.Fatalf("%s has no table that begins with\n%s", running, head)
	}
	old += "|\n"
	if old == table.String() {
		return
	}
	if os.Getenv("UPDATE") == "" {
		t.Fatalf("%s: the table differs: run UPDATE=1 go test ./daemon/control -run TestHealthDocumented:\n%s", running, cmp.Diff(old, table.String()))
	}
	if err := os.WriteFile(running, []byte(before+head+table.String()+"\n"+after), 0o644); err != nil {
		t.Fatal(err)
	}
}

// A failure to give access is a note once access was given again.
func TestHealthAfterAccessWasGivenAgain(t *testing.T) {
	s := well()
	s.Effects.Failures = []Failure{{Effect: "allow", At: s.Now, Detail: "set s is full", GivenSince: true}}
	h := HealthOf(&s)
	if h.Verdict != OK || len(h.Notes) != 1 || !strings.HasSuffix(h.Notes[0].Text, ": set s is full; access was given since") {
		t.Errorf("got %+v", h)
	}
}

// TestAdviceForWhatTheClockEnded: the script may be right, and the machine was busy.
func TestAdviceForWhatTheClockEnded(t *testing.T) {
	s := &Status{Scripts: Scripts{Failing: []Failing{{Door: "a", Function: "on_open", Timeout: true}, {Door: "b", Function: "on_open"}}}}
	all := scriptFails(s)
	if len(all) != 2 || !strings.HasPrefix(all[0].next, "find out whether the machine was busy") || all[1].next != "" {
		t.Errorf("got %+v", all)
	}
}

// Files that wait since a person wants it so are no fault.
func TestScriptsThatWait(t *testing.T) {
	for want, change := range map[string]func(*Status){
		`and wait, since the configuration says reload = "manual"`: func(s *Status) { s.Scripts.Manual, s.Scripts.Drift = true, true },
		"which are from /etc/new":                                  func(s *Status) { s.Scripts.From, s.Scripts.Drift = "/etc/new", true },
		"wait for its end":                                         func(s *Status) { s.Trial, s.Scripts.Drift = &Trial{}, true },
		"wait: at the start": func(s *Status) {
			s.Scripts.LastGood, s.Scripts.Drift = true, true
			s.LastReload.Outcome = Outcome{Outcome: Held, Hold: HeldByManual, Error: "at the start"}
		},
		"wait: given up": func(s *Status) {
			s.Scripts.Drift = true
			s.LastReload.Outcome = Outcome{Outcome: Held, Hold: HeldByReturn, Error: "given up", Trial: &Trial{}}
		},
		"wait: from elsewhere": func(s *Status) {
			s.Scripts.LastGood, s.Scripts.Drift = true, true
			s.LastReload.Outcome = Outcome{Outcome: Held, Hold: HeldByFrom, Error: "from elsewhere"}
		},
	} {
		s := well()
		change(&s)
		h := HealthOf(&s)
		i := slices.IndexFunc(h.Notes, func(r Reason) bool { return r.Code == "scripts-wait" })
		if h.Verdict != OK || i < 0 || !strings.Contains(h.Notes[i].Text, want) {
			t.Errorf("%q: %+v", want, h)
		}
	}
	s := well()
	s.Trial, s.Scripts.From, s.Scripts.Drift = &Trial{From: "/etc/new"}, "/etc/new", true
	if h := HealthOf(&s); h.Verdict != OK || len(h.Notes) != 1 || h.Notes[0].Code != "trial-runs" {
		t.Errorf("a trial from elsewhere: %+v", h)
	}
	s = well()
	s.LastReload.Outcome = Outcome{Outcome: Held, Hold: HeldByReturn, Trial: &Trial{From: "/etc/new"}}
	if h := HealthOf(&s); h.Verdict != OK || len(h.Notes) != 0 {
		t.Errorf("a trial from elsewhere that was given up: %+v", h)
	}
	s = well()
	s.LastReload.Outcome = Outcome{Outcome: Held, Hold: HeldByTrial, Error: "it is over", Trial: &Trial{From: "/etc/new"}}
	if h := HealthOf(&s); len(h.Reasons) != 1 || !strings.Contains(h.Reasons[0].Next, "sesame reload --from /etc/new --trial 10m") {
		t.Errorf("a trial from elsewhere is over: %+v", h)
	}
	s = well()
	s.Scripts.Manual, s.Scripts.Drift, s.Scripts.Unreadable = true, true, "permission denied"
	if h := HealthOf(&s); h.Verdict != Degraded || h.Reasons[0].Code != "scripts-unreadable" {
		t.Errorf("what cannot be read: %+v", h)
	}
}

// Commands that may have any exit status are told apart from those that count as failed, and both
// from programs that cannot be run. A shell that ran is none of these, whatever it was to run.
func TestFailingCommandsAreToldApart(t *testing.T) {
	s := &Status{}
	s.Effects.FailingCommands = []FailingCommand{{Door: "a", Command: "/fails"}, {Door: "b", Command: "/gone", Program: "/gone", NotRun: true}, {Door: "c", Command: "exit 9", Program: "/bin/sh", AnyStatus: true}}
	s.Effects.FailingCount, s.Effects.AnyStatusCount = 2, 1
	s.Scripts.Unrunnable, s.Scripts.UnrunnableCount = []Unrunnable{{Command: "/gone", Program: "/gone"}, {Command: "b", Program: "/bin/sh"}}, 2
	for what, found := range map[string][]finding{"1 command failed at the last run:\ndoor a: /fails ": commandFails(s), "1 command counted as done at the last run, but failed:\ndoor c: exit 9 ": commandStatus(s)} {
		if text := fmt.Sprint(found); len(found) != 1 || !strings.Contains(text, what) || strings.Count(text, "door ") != 1 {
			t.Errorf("%q: %s", what, text)
		}
	}
}

// Two commands of a door with one program are two lines, and no source is in them.
func TestFailingCommandsOfOneProgram(t *testing.T) {
	s := &Status{}
	s.Effects.FailingCommands = []FailingCommand{
		{Door: "a", Command: "/nft", Program: "/nft", Argv: []string{"/nft", "add", "to {source}"}},
		{Door: "a", Command: "/nft", Program: "/nft", Argv: []string{"/nft"}},
		{Door: "a", Command: "/long", Program: "/long", Argv: []string{"/long", strings.Repeat("x", 4096)}},
		{Door: "a", Command: "/nft", Program: "/nft", Undo: true},
		{Door: "a", Command: "exit 1", Program: "/bin/sh", Argv: []string{"/bin/sh", "-c", "exit 1"}},
	}
	s.Effects.FailingCount = 5
	text := fmt.Sprint(commandFails(s))
	for _, want := range []string{"door a: /nft add \"to {source}\" failed", "door a: /nft failed", "door a: undo /nft failed", "door a: exit 1 failed"} {
		if !strings.Contains(text, want) {
			t.Errorf("%s\nhas no %q", text, want)
		}
	}
	if n := strings.Count(text, "x"); n < 100 || n > 125 {
		t.Errorf("of a long argument it shows %d letters", n)
	}
}
