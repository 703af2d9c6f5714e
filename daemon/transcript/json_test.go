package transcript

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"sesame/daemon/engine"
	"sesame/daemon/packet"
)

var (
	noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	tom  = netip.MustParsePrefix("203.0.113.9/32")
	ssh  = packet.Port{Proto: packet.TCP, Number: 22}
)

// Each row is a line of the contract, with T as the time.
func TestJSONKeepsTheContract(t *testing.T) {
	for _, test := range []struct {
		event engine.Event
		want  string
	}{
		{engine.Event{Kind: engine.EventStage, Packet: 1, Door: "ssh", Source: tom, Stage: 1, Stages: 3},
			`{"time":T,"packet":1,"event":"stage","door":"ssh","source":"203.0.113.9","stage":1,"stages":3}`},
		{engine.Event{Kind: engine.EventOpen, Packet: 3, Door: "ssh", Source: tom},
			`{"time":T,"packet":3,"event":"open","door":"ssh","source":"203.0.113.9"}`},
		{engine.Event{Kind: engine.EventEffect, Packet: 3, Door: "ssh", Source: tom, Effect: engine.EffectAllow, ID: 4, Grant: 1, Port: ssh, TTL: 30 * time.Second, Until: noon.Add(time.Minute)},
			`{"time":T,"packet":3,"event":"effect","door":"ssh","source":"203.0.113.9","effect":"allow","grant":1,"port":"tcp/22","ttl":"30s"}`},
		{engine.Event{Kind: engine.EventEffect, Packet: 3, Door: "ssh", Source: tom, Effect: engine.EffectExec, ID: 5, TTL: time.Hour, Argv: []string{"/usr/local/bin/audit", "203.0.113.9"}, Timeout: time.Second},
			`{"time":T,"packet":3,"event":"effect","door":"ssh","source":"203.0.113.9","effect":"exec","argv":["/usr/local/bin/audit","203.0.113.9"]}`},
		{engine.Event{Kind: engine.EventClose, Door: "ssh", Source: tom, Grant: 1, Port: ssh, Reason: engine.Expired},
			`{"time":T,"event":"close","door":"ssh","source":"203.0.113.9","grant":1,"port":"tcp/22","reason":"expired"}`},
		{engine.Event{Kind: engine.EventMiss, Packet: 9, Door: "ssh", Source: tom, Stage: 2, Stages: 3, Reason: engine.WrongPort},
			`{"time":T,"packet":9,"event":"miss","door":"ssh","source":"203.0.113.9","stage":2,"stages":3,"reason":"wrong_port"}`},
		{engine.Event{Kind: engine.EventRefuse, Packet: 12, Door: "ssh", Source: tom, Reason: engine.When, Detail: "hours: mon-fri 08:00-19:00 Europe/Madrid"},
			`{"time":T,"packet":12,"event":"refuse","door":"ssh","source":"203.0.113.9","reason":"when","detail":"hours: mon-fri 08:00-19:00 Europe/Madrid"}`},
		{engine.Event{Kind: engine.EventError, Packet: 14, Door: "ssh", Source: tom, Script: "ssh.lua", Line: 14, Detail: "..."},
			`{"time":T,"packet":14,"event":"error","door":"ssh","source":"203.0.113.9","script":"ssh.lua","line":14,"detail":"..."}`},
		{engine.Event{Kind: engine.EventFailed, Door: "ssh", Source: tom, Effect: engine.EffectExec, Detail: "exit status 1"},
			`{"time":T,"event":"failed","door":"ssh","source":"203.0.113.9","effect":"exec","detail":"exit status 1"}`},

		// What the contract says in words.
		{engine.Event{Kind: engine.EventEffect, Packet: 3, Capture: 2, Door: "web", Source: netip.MustParsePrefix("2001:db8::/64"), Effect: engine.EffectAllow, Grant: 7, Port: ssh, TTL: 90 * time.Second},
			`{"time":T,"packet":3,"capture":2,"event":"effect","door":"web","source":"2001:db8::/64","effect":"allow","grant":7,"port":"tcp/22","ttl":"1m30s"}`},
		{engine.Event{Kind: engine.EventEffect, Packet: 4, Door: "web", Source: tom, Effect: engine.EffectExec, Grant: 7, TTL: 2 * time.Hour},
			`{"time":T,"packet":4,"event":"effect","door":"web","source":"203.0.113.9","effect":"exec","grant":7,"ttl":"2h"}`},
		{engine.Event{Kind: engine.EventEffect, Door: "web", Source: tom, Effect: engine.EffectUndo, Grant: 7, TTL: 2 * time.Hour, Argv: []string{"/bin/off"}},
			`{"time":T,"event":"effect","door":"web","source":"203.0.113.9","effect":"undo","grant":7,"argv":["/bin/off"]}`},
		{engine.Event{Kind: engine.EventEffect, Packet: 4, Door: "web", Source: tom, Effect: engine.EffectLog, Detail: "a <b> & \"c\"\n\x1b[2J\u009b\xff"},
			`{"time":T,"packet":4,"event":"effect","door":"web","source":"203.0.113.9","effect":"log","detail":"a <b> & \"c\"\n\u001b[2J\u009b` + "\ufffd" + `"}`},
		{engine.Event{Kind: engine.EventClose, Door: "ssh", Source: tom, Grant: 1, Port: ssh, Reason: engine.Expired, Cut: true},
			`{"time":T,"event":"close","door":"ssh","source":"203.0.113.9","grant":1,"port":"tcp/22","reason":"expired","cut":true}`},
		{engine.Event{Kind: engine.EventEffect, Effect: engine.EffectCut, Source: tom, Port: ssh, Cut: true},
			`{"time":T,"event":"effect","source":"203.0.113.9","effect":"cut","port":"tcp/22"}`},
		{engine.Event{Kind: engine.EventClose, Door: "web", Source: tom, Grant: 7, Reason: engine.Revoked},
			`{"time":T,"event":"close","door":"web","source":"203.0.113.9","grant":7,"reason":"revoked"}`},
		{engine.Event{Kind: engine.EventEffect, Packet: 3, Door: "dry", Source: tom, Effect: engine.EffectAllow, Grant: 1, Port: ssh, TTL: 30 * time.Second, Observed: true},
			`{"time":T,"packet":3,"event":"effect","door":"dry","source":"203.0.113.9","effect":"allow","grant":1,"port":"tcp/22","ttl":"30s","observed":true}`},
		{engine.Event{Kind: engine.EventClose, Door: "dry", Source: tom, Grant: 1, Port: ssh, Reason: engine.Expired, Observed: true},
			`{"time":T,"event":"close","door":"dry","source":"203.0.113.9","grant":1,"port":"tcp/22","reason":"expired","observed":true}`},
		{engine.Event{Kind: engine.EventError, Script: "later.lua", Detail: "no place"},
			`{"time":T,"event":"error","script":"later.lua","detail":"no place"}`},
		{engine.Event{Kind: engine.EventEffect, Effect: engine.EffectPersist, Persist: &engine.Record{Ended: true}}, ""},
		{engine.Event{Kind: engine.EventEffect, Effect: engine.EffectElement, Grant: 1}, ""},
		{engine.Event{Kind: engine.EventFailed, Effect: engine.EffectCommentOut, Detail: "read-only file system"}, `{"time":T,"event":"failed","effect":"mark","detail":"read-only file system"}`},
		{engine.Event{Kind: engine.EventFailed, Effect: engine.EffectConsume, Door: "v", Source: tom, Detail: "no space"}, `{"time":T,"event":"failed","door":"v","source":"203.0.113.9","effect":"mark","detail":"no space"}`},
		{engine.Event{Kind: engine.EventEffect, Effect: engine.EffectConsume, Door: "v", Text: "7000"}, ""},
		{engine.Event{Kind: engine.EventEffect, Effect: engine.EffectCommentOut, Door: "v", Text: "7000"}, ""},
	} {
		test.event.Time = noon
		var out bytes.Buffer
		j := NewJSON(&out)
		j.Events([]engine.Event{test.event})
		if err := j.Flush(); err != nil {
			t.Fatal(err)
		}
		want := strings.Replace(test.want, `"time":T`, `"time":"2026-03-01T12:00:00Z"`, 1)
		if want != "" {
			want += "\n"
		}
		if diff := cmp.Diff(want, out.String()); diff != "" {
			t.Errorf("%+v (-want +got):\n%s", test.event, diff)
		}
	}
}

func TestJSONBeginsAndEnds(t *testing.T) {
	var out bytes.Buffer
	j := NewJSON(&out)
	j.Begin(nil, nil)
	j.Events([]engine.Event{{Kind: engine.EventOpen, Time: noon, Packet: 3, Door: "ssh", Source: tom}})
	s := Summary{Packets: 12, Knocks: 5, Opens: 1, Misses: 1, Refusals: 1}
	s.Dropped[packet.NotWatched] = 3
	s.Dropped[packet.Malformed] = 1
	s.Dropped[packet.NotDropped] = 9 // means nothing, and must not show
	if err := j.Summary(s); err != nil {
		t.Fatal(err)
	}
	before := `{"event":"begin","transcript":1}
{"time":"2026-03-01T12:00:00Z","packet":3,"event":"open","door":"ssh","source":"203.0.113.9"}
`
	sum := sha256.Sum256([]byte(before))
	want := before + `{"event":"summary","packets":12,"knocks":5,"opens":1,"misses":1,"refusals":1,"errors":0,` +
		`"dropped":{"malformed":1,"not_watched":3},"sha256":"` + hex.EncodeToString(sum[:]) + "\"}\n"
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// The hash must not depend on how often lines were handed on.
func TestHashIsOverAllLines(t *testing.T) {
	var out bytes.Buffer
	j := NewJSON(&out)
	j.Begin(nil, nil)
	for range 3 * flushAt / 80 {
		j.Events([]engine.Event{{Kind: engine.EventOpen, Time: noon, Packet: 3, Door: "ssh", Source: tom}})
	}
	if out.Len() == 0 {
		t.Error("nothing was handed on before the end: memory grows with the transcript")
	}
	if err := j.Summary(Summary{}); err != nil {
		t.Fatal(err)
	}
	end := bytes.LastIndexByte(bytes.TrimSpace(out.Bytes()), '\n') + 1
	sum := sha256.Sum256(out.Bytes()[:end])
	if want := hex.EncodeToString(sum[:]); !strings.Contains(out.String()[end:], want) {
		t.Errorf("the last line is %s, want a hash of %s", out.String()[end:], want)
	}
}

func TestTimesAreUTCWithoutTrailingZeros(t *testing.T) {
	for _, test := range []struct {
		time time.Time
		want string
	}{
		{noon.Add(1210 * time.Millisecond), "2026-03-01T12:00:01.21Z"},
		{noon.Add(1), "2026-03-01T12:00:00.000000001Z"},
		{noon.In(time.FixedZone("x", 3600)), "2026-03-01T12:00:00Z"},
	} {
		var out bytes.Buffer
		j := NewJSON(&out)
		j.Events([]engine.Event{{Kind: engine.EventOpen, Time: test.time}})
		j.Flush()
		if want := `{"time":"` + test.want + `","event":"open"}` + "\n"; out.String() != want {
			t.Errorf("got %q, want %q", out.String(), want)
		}
	}
}

func TestDuration(t *testing.T) {
	for want, d := range map[string]time.Duration{
		"0s": 0, "30s": 30 * time.Second, "1m30s": 90 * time.Second, "1m": time.Minute, "10m": 10 * time.Minute,
		"2h": 2 * time.Hour, "1h1m": time.Hour + time.Minute, "1h30s": time.Hour + 30*time.Second, "10h": 10 * time.Hour,
		"500ms": 500 * time.Millisecond, "1.5s": 1500 * time.Millisecond, "1h10m": 70 * time.Minute,
		"720h": 720 * time.Hour, "-2h": -2 * time.Hour, "20h10m20s": 20*time.Hour + 10*time.Minute + 20*time.Second,
	} {
		if got := Duration(d); got != want {
			t.Errorf("Duration(%v) = %q, want %q", d, got, want)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		d := time.Duration(rapid.Int64().Draw(t, "d"))
		if back, err := time.ParseDuration(Duration(d)); err != nil || back != d {
			t.Fatalf("%v is written %q, which reads as %v, %v", d, Duration(d), back, err)
		}
	})
}

// Any text comes back from any JSON reader, and none reaches a terminal raw.
func FuzzJSONString(f *testing.F) {
	f.Add("a\x00\u2028\xff\\\"")
	f.Fuzz(func(t *testing.T, s string) {
		quoted := appendString(nil, s)
		var back string
		if err := json.Unmarshal(quoted, &back); err != nil {
			t.Fatalf("%q: %v", quoted, err)
		}
		if want := strings.ToValidUTF8(s, "\ufffd"); back != want && utf8.ValidString(s) {
			t.Errorf("%q came back as %q", want, back)
		}
		if strings.ContainsFunc(string(quoted), unicode.IsControl) {
			t.Errorf("%q holds a control character", quoted)
		}
	})
}

type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("disk full") }

func TestAFailingWriterIsReported(t *testing.T) {
	for name, w := range map[string]interface {
		Begin(_, _ []string)
		Events([]engine.Event)
		Summary(Summary) error
	}{"json": NewJSON(full{}), "text": NewText(full{}, TextOptions{})} {
		w.Begin(nil, nil)
		for range flushAt {
			w.Events([]engine.Event{{Kind: engine.EventOpen, Time: noon}})
		}
		if err := w.Summary(Summary{}); err == nil {
			t.Errorf("%s: the error was lost", name)
		}
	}
}

func TestEventsAreWrittenWithoutAllocation(t *testing.T) {
	j := NewJSON(discard{})
	events := []engine.Event{
		{Kind: engine.EventStage, Time: noon, Packet: 1, Door: "ssh", Source: tom, Stage: 1, Stages: 3},
		{Kind: engine.EventMiss, Time: noon, Packet: 9, Door: "ssh", Source: tom, Stage: 2, Stages: 3, Reason: engine.WrongPort},
	}
	j.Events(events)
	if n := testing.AllocsPerRun(1000, func() { j.Events(events) }); n != 0 {
		t.Errorf("%v allocations for two events, want none", n)
	}
}

type discard struct{}

func (discard) Write(p []byte) (int, error) { return len(p), nil }

func BenchmarkJSON(b *testing.B) {
	j := NewJSON(discard{})
	events := []engine.Event{{Kind: engine.EventStage, Time: noon, Packet: 1, Door: "ssh", Source: tom, Stage: 1, Stages: 3}}
	b.ReportAllocs()
	for b.Loop() {
		j.Events(events)
	}
}
