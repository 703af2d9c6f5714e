package transcript

import (
	"bytes"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"sesame/daemon/engine"
	"sesame/daemon/packet"
)

func TestTextForPeople(t *testing.T) {
	at := func(ms int) time.Time { return noon.Add(time.Duration(ms) * time.Millisecond) }
	var out bytes.Buffer
	w := NewText(&out, TextOptions{})
	w.Begin(nil, nil)
	w.Events([]engine.Event{
		{Kind: engine.EventStage, Time: at(1210), Door: "ssh", Source: tom, Stage: 2, Stages: 4},
		{Kind: engine.EventOpen, Time: at(2000), Door: "ssh", Source: tom},
		{Kind: engine.EventEffect, Time: at(2000), Effect: engine.EffectPersist},
		{Kind: engine.EventEffect, Time: at(2000), Door: "ssh", Source: tom, Effect: engine.EffectAllow, Grant: 1, Port: ssh, TTL: 30 * time.Second},
		{Kind: engine.EventEffect, Time: at(2000), Door: "ssh", Source: tom, Effect: engine.EffectExec, Argv: []string{"/bin/audit", "a b", ""}},
		{Kind: engine.EventEffect, Time: at(2000), Door: "ssh", Source: tom, Effect: engine.EffectExec, Grant: 2, TTL: time.Hour, Argv: []string{"/bin/on"}},
		{Kind: engine.EventEffect, Time: at(2000), Door: "ssh", Source: tom, Effect: engine.EffectExec, Grant: 2, TTL: time.Hour},
		{Kind: engine.EventEffect, Time: at(2000), Door: "ssh", Source: tom, Effect: engine.EffectLog, Detail: "hello"},
	})
	w.Events([]engine.Event{
		{Kind: engine.EventMiss, Time: at(3000), Door: "office-hours", Source: tom, Stage: 2, Stages: 3, Reason: engine.WrongPort},
		{Kind: engine.EventRefuse, Time: at(3000), Door: "ssh", Source: tom, Reason: engine.When, Detail: "hours: mon-fri"},
		{Kind: engine.EventRefuse, Time: at(3000), Door: "ssh", Source: tom, Reason: engine.Limited, Detail: "3/h"},
		{Kind: engine.EventError, Time: at(3000), Door: "ssh", Source: tom, Script: "ssh.lua", Line: 14, Detail: "boom"},
		{Kind: engine.EventFailed, Time: at(3000), Door: "ssh", Source: tom, Effect: engine.EffectExec, Detail: "exit status 1"},
		{Kind: engine.EventClose, Time: noon.Add(13 * time.Hour), Door: "ssh", Source: tom, Grant: 1, Port: ssh, Reason: engine.ClosedByDoor},
		{Kind: engine.EventClose, Time: noon.Add(13 * time.Hour), Door: "ssh", Source: tom, Grant: 2, Reason: engine.Expired},
		{Kind: engine.EventEffect, Time: noon.Add(13 * time.Hour), Door: "ssh", Source: tom, Effect: engine.EffectUndo, Grant: 2, Argv: []string{"/bin/off"}},
		{Kind: engine.EventEffect, Time: noon.Add(13 * time.Hour), Effect: engine.EffectLog, Detail: "from a timer"},
		{Kind: engine.EventClose, Time: noon.Add(13 * time.Hour), Door: "ssh", Source: tom, Grant: 3, Port: ssh, Reason: engine.Expired, Cut: true},
		{Kind: engine.EventEffect, Time: noon.Add(13 * time.Hour), Source: tom, Effect: engine.EffectCut, Port: ssh, Cut: true},
	})
	s := Summary{Packets: 12345, Knocks: 5, Opens: 1, Misses: 2}
	s.Dropped[packet.NotWatched] = 12000
	s.Dropped[packet.Malformed] = 1
	if err := w.Summary(s); err != nil {
		t.Fatal(err)
	}
	want := `2026-03-01 UTC
12:00:01.210  203.0.113.9      ssh  stage 2 of 4
12:00:02.000  203.0.113.9      ssh  open
12:00:02.000  203.0.113.9      ssh  allow tcp/22 for 30s
12:00:02.000  203.0.113.9      ssh  run /bin/audit "a b" ""
12:00:02.000  203.0.113.9      ssh  run /bin/on, with undo after 1h
12:00:02.000  203.0.113.9      ssh  put off the undo of its command for 1h
12:00:02.000  203.0.113.9      ssh  log: hello
12:00:03.000  203.0.113.9      office-hours  miss at stage 2 of 3: wrong port
12:00:03.000  203.0.113.9      ssh           refused, hours: mon-fri
12:00:03.000  203.0.113.9      ssh           refused, limit: 3/h
12:00:03.000  203.0.113.9      ssh           error in ssh.lua:14: boom
12:00:03.000  203.0.113.9      ssh           exec failed: exit status 1
2026-03-02 UTC
01:00:00.000  203.0.113.9      ssh           close tcp/22: closed by door
01:00:00.000  203.0.113.9      ssh           close its command: expired
01:00:00.000  203.0.113.9      ssh           undo: run /bin/off
01:00:00.000  -                -             log: from a timer
01:00:00.000  203.0.113.9      ssh           close tcp/22: expired, and cut its sessions
01:00:00.000  203.0.113.9      -             cut sessions to tcp/22

12,345 packets, 5 knocks: 1 open, 2 misses, 0 refusals, 0 errors
dropped: 1 malformed, 12,000 not watched
`
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestColumnsOfDoors: a column that fits all doors from the start does not move. One
// long name alone is not what all lines make room for.
func TestColumnsOfDoors(t *testing.T) {
	events := []engine.Event{
		{Kind: engine.EventOpen, Time: noon, Door: "ssh", Source: tom},
		{Kind: engine.EventOpen, Time: noon, Door: "wörk-hours", Source: tom},
	}
	for _, tt := range []struct {
		doors []string
		want  string
	}{
		{nil, "12:00:00.000  203.0.113.9      ssh  open\n12:00:00.000  203.0.113.9      wörk-hours  open\n"},
		{[]string{"wörk-hours", "ssh", strings.Repeat("x", 100)}, "12:00:00.000  203.0.113.9      ssh         open\n12:00:00.000  203.0.113.9      wörk-hours  open\n"},
	} {
		var out bytes.Buffer
		w := NewText(&out, TextOptions{})
		w.Begin(tt.doors, nil)
		w.Events(events)
		w.Flush()
		if diff := cmp.Diff("2026-03-01 UTC\n"+tt.want, out.String()); diff != "" {
			t.Errorf("with %q (-want +got):\n%s", tt.doors, diff)
		}
	}
}

func TestColorIsOnlyForWhoAsks(t *testing.T) {
	opened := []engine.Event{{Kind: engine.EventOpen, Time: noon, Door: "ssh", Source: tom}}
	var plain, colored bytes.Buffer
	p, c := NewText(&plain, TextOptions{}), NewText(&colored, TextOptions{Color: true})
	p.Events(opened)
	c.Events(opened)
	p.Flush()
	c.Flush()
	if strings.Contains(plain.String(), "\x1b") {
		t.Errorf("colour, unasked: %q", plain.String())
	}
	if !strings.Contains(colored.String(), "\x1b[32mopen\x1b[0m\n") {
		t.Errorf("no colour: %q", colored.String())
	}
}

// Whatever a script or a packet puts into an event, a line stays one line and
// nothing in it commands a terminal.
func TestNoControlCharacterReachesATerminal(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.OneOf(rapid.String(), rapid.Just("\x1b[2J\r\n12:00 open\u009b\u202e\xff"))
		e := engine.Event{
			Kind:   engine.Kind(rapid.IntRange(int(engine.EventStage), int(engine.EventFailed)).Draw(t, "kind")),
			Effect: engine.Effect(rapid.IntRange(int(engine.EffectAllow), int(engine.EffectLog)).Draw(t, "effect")),
			Time:   noon, Source: tom, Port: ssh, Grant: 1,
			Door: text.Draw(t, "door"), Detail: text.Draw(t, "detail"), Script: text.Draw(t, "script"),
			Argv: rapid.SliceOf(text).Draw(t, "argv"), Reason: engine.When,
		}
		var out bytes.Buffer
		w := NewText(&out, TextOptions{})
		w.Events([]engine.Event{e})
		w.Flush()
		line := strings.TrimSuffix(strings.TrimPrefix(out.String(), "2026-03-01 UTC\n"), "\n")
		for _, r := range line {
			if !unicode.IsPrint(r) {
				t.Fatalf("%q in %q", r, line)
			}
		}
	})
}

func TestCountsForPeople(t *testing.T) {
	for want, got := range map[string]string{
		"1 packet": Count(1, "packet"), "0 packets": Count(0, "packet"), "2 misses": Count(2, "miss"),
		"1,234,567 packets": Count(1234567, "packet"), "-100": Number(-100), "-1,000": Number(-1000), "999": Number(999),
	} {
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
