package transcript

import (
	"bytes"
	"net/netip"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"sesame/daemon/engine"
	"sesame/daemon/packet"
)

// knockdLines returns what a writer makes of events.
func knockdLines(opts KnockdOptions, events ...engine.Event) string {
	var out bytes.Buffer
	k := NewKnockd(&out, opts)
	k.Begin(nil, nil)
	k.Events(events)
	_ = k.Flush() // into a buffer
	return out.String()
}

// Each row is an event and the message that knockd has for it, "" for none.
func TestKnockdsOwnWords(t *testing.T) {
	shell := func(text string) []string { return []string{"/bin/sh", "-c", text} }
	for _, test := range []struct {
		event engine.Event
		want  string
	}{
		{engine.Event{Kind: engine.EventStage, Door: "openSSH", Source: tom, Stage: 1, Stages: 4}, "203.0.113.9: openSSH: Stage 1"},
		{engine.Event{Kind: engine.EventStage, Door: "openSSH", Source: netip.MustParsePrefix("2001:db8::9/128"), Stage: 2}, "2001:db8::9: openSSH: Stage 2"},
		{engine.Event{Kind: engine.EventOpen, Door: "openSSH", Source: tom}, "203.0.113.9: openSSH: OPEN SESAME"},
		{engine.Event{Kind: engine.EventMiss, Door: "openSSH", Source: tom, Stage: 2, Reason: engine.TotalTimeout}, "203.0.113.9: openSSH: sequence timeout (stage 2)"},
		{engine.Event{Kind: engine.EventMiss, Door: "openSSH", Source: tom, Stage: 3, Reason: engine.StepTimeout}, "203.0.113.9: openSSH: sequence timeout (stage 3)"},
		{engine.Event{Kind: engine.EventEffect, Door: "openSSH", Source: tom, Effect: engine.EffectExec, Argv: shell(`/sbin/iptables -A INPUT -s 203.0.113.9 -j ACCEPT; echo "a\b"`)},
			`openSSH: running command: /sbin/iptables -A INPUT -s 203.0.113.9 -j ACCEPT; echo "a\b"`},
		{engine.Event{Kind: engine.EventEffect, Door: "openSSH", Source: tom, Effect: engine.EffectUndo, Grant: 3, Argv: shell("stop")}, "openSSH: running command: stop"},
		{engine.Event{Kind: engine.EventEffect, Door: "d", Source: tom, Effect: engine.EffectExec, Argv: []string{"/bin/audit", "a b", ""}}, `d: running command: /bin/audit "a b" ""`},
		{engine.Event{Kind: engine.EventEffect, Door: "d", Source: tom, Effect: engine.EffectExec, Argv: []string{"/bin/sh", "-c"}}, "d: running command: /bin/sh -c"},
		{engine.Event{Kind: engine.EventClose, Door: "d", Source: tom, Grant: 3, Reason: engine.Expired}, "203.0.113.9: d: command timeout"},
		{engine.Event{Kind: engine.EventFailed, Door: "d", Source: tom, Effect: engine.EffectExec, Ran: true, Status: 3, Detail: "exit status 3"}, "d: command returned non-zero status code (3)"},
		{engine.Event{Kind: engine.EventFailed, Door: "d", Source: tom, Effect: engine.EffectUndo, Ran: true, Status: 127}, "d: command returned non-zero status code (127)"},
		{engine.Event{Kind: engine.EventEffect, Door: "d", Source: tom, Effect: engine.EffectLog, File: "/etc/once", Detail: "/etc/once has no sequence left"},
			"no more sequences left in the one time sequences file for door d --> disabling the door"},
		{engine.Event{Kind: engine.EventFailed, Door: "d", Source: tom, Effect: engine.EffectCommentOut, File: "/etc/once", Detail: "no such file"}, "error while disabling used one time sequence for door d"},
		// For which knockd has no line.
		{engine.Event{Kind: engine.EventFailed, Door: "d", Source: tom, Effect: engine.EffectExec, Ran: true, Status: -1, Detail: "killed"}, ""},
		{engine.Event{Kind: engine.EventFailed, Door: "d", Source: tom, Effect: engine.EffectExec, Detail: "no such file"}, ""},
		{engine.Event{Kind: engine.EventMiss, Door: "d", Source: tom, Stage: 2, Reason: engine.WrongPort}, ""},
		{engine.Event{Kind: engine.EventMiss, Door: "d", Source: tom, Stage: 2, Reason: engine.OutOfOrder}, ""},
		{engine.Event{Kind: engine.EventMiss, Door: "d", Source: tom, Stage: 2, Reason: engine.Reloaded}, ""},
		{engine.Event{Kind: engine.EventMiss, Door: "d", Source: tom, Stage: 2, Reason: engine.EndOfCapture}, ""},
		{engine.Event{Kind: engine.EventRefuse, Door: "d", Source: tom, Reason: engine.When, Detail: "hours"}, ""},
		{engine.Event{Kind: engine.EventError, Script: "d.lua", Line: 3, Detail: "boom"}, ""},
		{engine.Event{Kind: engine.EventEffect, Door: "d", Source: tom, Effect: engine.EffectAllow, Grant: 1, Port: ssh, TTL: time.Minute}, ""},
		{engine.Event{Kind: engine.EventEffect, Door: "d", Source: tom, Effect: engine.EffectLog, Detail: "hello"}, ""},
		{engine.Event{Kind: engine.EventEffect, Effect: engine.EffectPersist, Persist: &engine.Record{Ended: true}}, ""},
		{engine.Event{Kind: engine.EventEffect, Effect: engine.EffectElement, Grant: 1, Port: ssh}, ""},
		{engine.Event{Kind: engine.EventEffect, Effect: engine.EffectConsume}, ""},
		{engine.Event{Kind: engine.EventEffect, Effect: engine.EffectCommentOut, File: "once", Text: "1,2"}, ""},
		// A command that runs already, and what others still need.
		{engine.Event{Kind: engine.EventEffect, Door: "d", Source: tom, Effect: engine.EffectExec, Grant: 2, TTL: time.Hour}, ""},
		{engine.Event{Kind: engine.EventClose, Door: "d", Source: tom, Grant: 3, Reason: engine.Expired, Until: noon}, ""},
		// A port that shuts, and a command that is undone before its time.
		{engine.Event{Kind: engine.EventClose, Door: "d", Source: tom, Grant: 3, Port: ssh, Reason: engine.Expired}, ""},
		{engine.Event{Kind: engine.EventClose, Door: "d", Source: tom, Grant: 3, Reason: engine.ShutDown}, ""},
		{engine.Event{Kind: engine.EventClose, Door: "d", Source: tom, Grant: 3, Reason: engine.NotDone}, ""},
		// Nothing runs for what is only observed.
		{engine.Event{Kind: engine.EventOpen, Door: "dry", Source: tom}, "203.0.113.9: dry: OPEN SESAME"},
		{engine.Event{Kind: engine.EventEffect, Door: "dry", Source: tom, Effect: engine.EffectExec, Argv: shell("start"), Observed: true}, ""},
		{engine.Event{Kind: engine.EventEffect, Door: "dry", Source: tom, Effect: engine.EffectUndo, Argv: shell("stop"), Observed: true}, ""},
		{engine.Event{Kind: engine.EventClose, Door: "dry", Source: tom, Grant: 3, Reason: engine.Expired, Observed: true}, ""},
		// No text poses as another line, or moves a cursor.
		{engine.Event{Kind: engine.EventOpen, Door: "a\n[2026-03-01 12:00] 192.0.2.1: b", Source: tom}, `203.0.113.9: a\n[2026-03-01 12:00] 192.0.2.1: b: OPEN SESAME`},
		{engine.Event{Kind: engine.EventEffect, Door: "d", Source: tom, Effect: engine.EffectExec, Argv: shell("tr\t'\u00e9' \x1b[2J\u009b\u2028\xff\r\x00")},
			`d: running command: tr\t'` + "\u00e9" + `' \x1b[2J\u009b\u2028\xff\r\x00`},
	} {
		test.event.Time = noon
		want := ""
		if test.want != "" {
			want = "[2026-03-01 12:00] " + test.want + "\n"
		}
		if diff := cmp.Diff(want, knockdLines(KnockdOptions{}, test.event)); diff != "" {
			t.Errorf("%+v (-want +got):\n%s", test.event, diff)
		}
	}
}

// The wall clock is ahead of the engine's time here, and an hour east.
func TestKnockdsLinesHaveWallTime(t *testing.T) {
	wall := func(at time.Time) time.Time {
		return at.Add(26 * time.Minute).In(time.FixedZone("CET", 3600))
	}
	open := engine.Event{Kind: engine.EventOpen, Time: noon.Add(59*time.Second + 999*time.Millisecond), Door: "openSSH", Source: tom}
	for _, test := range []struct {
		opts KnockdOptions
		head string
	}{
		{KnockdOptions{}, "[2026-03-01 12:00] "},
		{KnockdOptions{Wall: wall}, "[2026-03-01 13:26] "},
		{KnockdOptions{Syslog: true}, "<29>Mar  1 12:00:59 knockd: "},
		{KnockdOptions{Wall: wall, Syslog: true}, "<29>Mar  1 13:26:59 knockd: "},
	} {
		if diff := cmp.Diff(test.head+"203.0.113.9: openSSH: OPEN SESAME\n", knockdLines(test.opts, open)); diff != "" {
			t.Errorf("%+v (-want +got):\n%s", test.opts, diff)
		}
		if got := NewKnockd(nil, test.opts).Head(); got != len(test.head) {
			t.Errorf("%+v: a head of %d bytes, want %d", test.opts, got, len(test.head))
		}
	}
}

// What a scraper looks for in the system's log, with knockd's name before it.
func TestFailToBanFindsTheSource(t *testing.T) {
	filter := regexp.MustCompile(strings.Replace(`knockd(\[\d+\])?: <HOST>: .*: OPEN SESAME`, "<HOST>", `(?P<host>[0-9a-f.:]+)`, 1))
	line := knockdLines(KnockdOptions{Syslog: true}, engine.Event{Kind: engine.EventOpen, Time: noon, Door: "openSSH", Source: tom})
	found := filter.FindStringSubmatch(line)
	if found == nil || found[filter.SubexpIndex("host")] != "203.0.113.9" {
		t.Errorf("found %q in %q", found, line)
	}
}

// A message has 1,023 bytes at most, and no half of a character.
func TestKnockdsLinesAreCut(t *testing.T) {
	const begin = "d: running command: "
	for _, test := range []struct{ command, want string }{
		{strings.Repeat("x", 2000), strings.Repeat("x", 1023-len(begin))},
		{strings.Repeat("x", 1023-len(begin)), strings.Repeat("x", 1023-len(begin))},
		{strings.Repeat("x", 1023-len(begin)-1) + "\u00e9y", strings.Repeat("x", 1023-len(begin)-1)},
	} {
		event := engine.Event{Kind: engine.EventEffect, Time: noon, Door: "d", Source: tom, Effect: engine.EffectExec, Argv: []string{"/bin/sh", "-c", test.command}}
		if diff := cmp.Diff("[2026-03-01 12:00] "+begin+test.want+"\n", knockdLines(KnockdOptions{}, event)); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
}

func TestKnockdSaysWhatItDoes(t *testing.T) {
	var out bytes.Buffer
	k := NewKnockd(&out, KnockdOptions{})
	k.WriteLine(noon, "starting up, listening on eth0")
	k.WriteLine(noon, "re-reading config file: /tmp/a\nb")
	if err := k.Summary(Summary{Packets: 3}); err != nil {
		t.Fatal(err)
	}
	want := "[2026-03-01 12:00] starting up, listening on eth0\n[2026-03-01 12:00] re-reading config file: /tmp/a\\nb\n"
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// commands is a handler that starts one thing and stops it later.
type commands engine.Exec

func (c commands) Handle(*engine.Call) (engine.Decision, error) {
	return engine.Decision{Operations: []engine.Operation{engine.Exec(c)}}, nil
}

// sequence returns knocks on TCP ports.
func sequence(ports ...uint16) (knocks []engine.Knock) {
	for _, port := range ports {
		knocks = append(knocks, engine.Knock{Port: packet.Port{Proto: packet.TCP, Number: port}, Flags: engine.SYN})
	}
	return knocks
}

// TestKnockdsStory lets somebody start a service by four knocks, forget the
// fourth, and stop the service by three: knockd would say exactly this.
func TestKnockdsStory(t *testing.T) {
	run := func(text string) commands {
		return commands{Argv: []string{"/bin/sh", "-c", text}, Timeout: time.Minute, AnyStatus: true}
	}
	timed := run("open 203.0.113.9")
	timed.Undo, timed.TTL = []string{"/bin/sh", "-c", "shut 203.0.113.9"}, 10*time.Second
	door := func(name string, handler commands, ports ...uint16) *engine.Door {
		return &engine.Door{
			Name: name, Policy: engine.PolicyKnockd, Group: "/etc/knockd.conf", Flags: engine.SYN,
			Sequence: sequence(ports...), Within: 5 * time.Second, TTL: time.Minute, Handler: handler, Hooks: engine.HookOpen,
		}
	}
	e := engine.New(engine.Config{}, noon)
	e.Swap(noon, &engine.Set{Doors: []*engine.Door{
		door("opencloseSSH", timed, 1, 2),
		door("openSSH", run("/etc/init.d/ssh start"), 7000, 3000, 55000, 1500),
		door("closeSSH", run("/etc/init.d/ssh stop"), 9000, 8000, 7000),
	}})
	var out bytes.Buffer
	k := NewKnockd(&out, KnockdOptions{})
	now := noon.Add(30 * time.Second)
	number := 0
	knock := func(ports ...uint16) {
		for _, port := range ports {
			number++
			now = now.Add(time.Second)
			k.Events(e.Packet(&packet.Packet{
				Time: now, Number: number, Source: tom.Addr(), Dest: netip.MustParseAddr("192.0.2.1"), SourcePort: uint16(40000 + number),
				Port: packet.Port{Proto: packet.TCP, Number: port}, Flags: packet.SYN, Sequence: uint32(number),
			}))
		}
	}
	knock(7000, 3000, 55000, 1500)
	now = now.Add(2 * time.Minute)
	knock(7000, 3000, 55000)
	now = now.Add(6 * time.Second)
	knock(1500)
	knock(9000, 8000, 7000)
	now = now.Add(time.Hour)
	knock(1, 2)
	now = now.Add(time.Hour)
	k.Events(e.Tick(now))
	if err := k.Summary(Summary{}); err != nil {
		t.Fatal(err)
	}
	want := `[2026-03-01 12:00] 203.0.113.9: openSSH: Stage 1
[2026-03-01 12:00] 203.0.113.9: openSSH: Stage 2
[2026-03-01 12:00] 203.0.113.9: openSSH: Stage 3
[2026-03-01 12:00] 203.0.113.9: openSSH: Stage 4
[2026-03-01 12:00] 203.0.113.9: openSSH: OPEN SESAME
[2026-03-01 12:00] openSSH: running command: /etc/init.d/ssh start
[2026-03-01 12:02] 203.0.113.9: openSSH: Stage 1
[2026-03-01 12:02] 203.0.113.9: openSSH: Stage 2
[2026-03-01 12:02] 203.0.113.9: openSSH: Stage 3
[2026-03-01 12:02] 203.0.113.9: openSSH: sequence timeout (stage 3)
[2026-03-01 12:02] 203.0.113.9: closeSSH: Stage 1
[2026-03-01 12:02] 203.0.113.9: closeSSH: Stage 2
[2026-03-01 12:02] 203.0.113.9: closeSSH: Stage 3
[2026-03-01 12:02] 203.0.113.9: closeSSH: OPEN SESAME
[2026-03-01 12:02] closeSSH: running command: /etc/init.d/ssh stop
[2026-03-01 13:02] 203.0.113.9: opencloseSSH: Stage 1
[2026-03-01 13:02] 203.0.113.9: opencloseSSH: Stage 2
[2026-03-01 13:02] 203.0.113.9: opencloseSSH: OPEN SESAME
[2026-03-01 13:02] opencloseSSH: running command: open 203.0.113.9
[2026-03-01 13:02] 203.0.113.9: opencloseSSH: command timeout
[2026-03-01 13:02] opencloseSSH: running command: shut 203.0.113.9
`
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// FuzzKnockd holds that no event makes more than one line, whatever is in it, and
// that nothing in it can move a cursor.
func FuzzKnockd(f *testing.F) {
	f.Add(uint8(engine.EventOpen), uint8(0), "door\n", "", 0, true)
	f.Add(uint8(engine.EventEffect), uint8(engine.EffectExec), "door", "a\rb\x85\u0085\xff", 0, false)
	f.Add(uint8(engine.EventFailed), uint8(engine.EffectExec), "\x1b", "x", 3, true)
	f.Add(uint8(engine.EventMiss), uint8(0), strings.Repeat("\u00e9", 1000), "total_timeout", -7, true)
	f.Fuzz(func(t *testing.T, kind, effect uint8, door, text string, number int, syslog bool) {
		e := engine.Event{
			Kind: engine.Kind(kind), Effect: engine.Effect(effect), Time: noon, Door: door, Source: tom, Stage: number, Reason: engine.Reason(text),
			Argv: []string{"/bin/sh", "-c", text}, Ran: true, Status: number, Detail: text, File: text, Text: text,
		}
		opts := KnockdOptions{Syslog: syslog}
		line := knockdLines(opts, e)
		if line == "" {
			return
		}
		message, whole := strings.CutSuffix(line, "\n")
		unshown := func(r rune) bool { return !unicode.IsPrint(r) }
		if !whole || !utf8.ValidString(message) || strings.ContainsFunc(message, unshown) || len(message) > NewKnockd(nil, opts).Head()+1023 {
			t.Errorf("%+v makes %q", e, line)
		}
	})
}
