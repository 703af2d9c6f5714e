package simulate

import (
	"bytes"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"sesame/daemon/engine"
	"sesame/daemon/packet"
	"sesame/daemon/record"
	"sesame/daemon/wire"
	"sesame/simulate/pcaptest"
)

// A host is a daemon that runs one script and receives packets, and whose recording is kept.
type host struct {
	t        *testing.T
	engine   *engine.Engine
	recorder *record.Recorder
	number   int
}

// hosting starts a daemon with scripts.
func hosting(t *testing.T, files ...wire.File) *host {
	t.Helper()
	scripts := record.Scripts{Files: files, Base: "/srv/scripts"}
	set, err := load(scripts, false, false)
	must(t, err)
	t.Cleanup(set.Close)
	s := &host{t: t, engine: engine.New(engine.Config{}, pcaptest.Start), recorder: record.NewRecorder(0)}
	s.engine.Swap(pcaptest.Start, set.Engine)
	s.recorder.Begin(pcaptest.Start, s.engine.State(), scripts)
	return s
}

// says gives the daemon a packet of a line of package pcaptest, at a second. Effects succeed.
func (s *host) says(second int, line string) *host {
	s.t.Helper()
	frame := framed(s.t, "0s "+line)
	var p packet.Packet
	if drop := packet.NewDecoder().Decode(packet.Raw, frame, len(frame), &p); drop != packet.NotDropped {
		s.t.Fatalf("%s: %v", line, drop)
	}
	s.number++
	p.Time, p.Number = pcaptest.Start.Add(time.Duration(second)*time.Second), s.number
	events := slices.Clone(s.engine.Packet(&p))
	s.recorder.Packet(&p, frame, len(frame))
	for _, e := range events {
		if e.ID != 0 {
			s.recorder.Input(record.Input{Kind: record.InputResult, Time: p.Time, ID: e.ID})
			s.engine.Result(p.Time, e.ID, nil)
		}
	}
	return s
}

func (s *host) file() []byte {
	var b bytes.Buffer
	_, err := s.recorder.Recording().WriteTo(&b)
	must(s.t, err)
	return b.Bytes()
}

// Each packet that a door was offered has a comment. What scripts log and run is in none.
func TestComments(t *testing.T) {
	s := hosting(t, wire.File{Path: "a.lua", Source: []byte(`
local audit = sesame.command { "/bin/audit", "hush", timeout = "5s" }
sesame.door "ssh" { sequence = { "tcp/7000", "udp/8000", "tcp/9000" }, within = "8s", guards = "tcp/22", ttl = "30s",
  on_open = function(attempt) attempt:allow() attempt:exec(audit) attempt:log("hush") end }
sesame.door "wiki" { sequence = { "tcp/7000", "tcp/7001" }, on_wrong = "ignore", guards = "tcp/80", when = { sesame.networks { "10.0.0.0/8" } } }`)})
	s.says(0, "203.0.113.9 tcp/7000 seq=1").says(1, "203.0.113.9 tcp/7000 seq=1").says(2, "203.0.113.9 udp/8000").
		says(3, "203.0.113.9 tcp/9000 seq=3").says(4, "203.0.113.9 tcp/7001 seq=4").
		says(5, "203.0.113.9 tcp/7000 seq=5").says(6, "203.0.113.9 tcp/9000 seq=6").says(20, "203.0.113.9 udp/8000")
	comments, err := Comments(bytes.NewReader(s.file()))
	must(t, err)
	var got strings.Builder
	for _, number := range slices.Sorted(maps.Keys(comments)) {
		got.WriteString(comments[number] + "\n")
	}
	const want = `ssh: stage 1 of 3; wiki: stage 1 of 2
retransmit of packet 1
ssh: stage 2 of 3
ssh: stage 3 of 3, open; ssh: tcp/22 for 30s (grant 1)
wiki: stage 2 of 2, refused: when
ssh: stage 1 of 3; wiki: stage 1 of 2
ssh: miss at stage 1 of 3: out of order
ssh: ignored: not the awaited knock
`
	if got.String() != want {
		t.Errorf("comments:\n%s\nwant:\n%s", got.String(), want)
	}
}

// A token that nobody gave out opens nothing, and the comment says so.
func TestCommentsOfAListenerThatGivesNothing(t *testing.T) {
	s := hosting(t, wire.File{Path: "a.lua", Source: []byte(`sesame.listen "beacon" { on = "udp/500", guards = "tcp/22", on_knock = function(knock) if knock.payload == "token" then knock:allow() end end }`)})
	s.says(0, "203.0.113.9 udp/500 data=other").says(1, "203.0.113.9 udp/500 data=token")
	comments, err := Comments(bytes.NewReader(s.file()))
	must(t, err)
	if comments[1] != "beacon: on_knock gave no access" || comments[2] != "beacon: stage 1 of 1, open; beacon: tcp/22 for 30s (grant 1)" {
		t.Errorf("%v", comments)
	}
}

// A comment tells nothing that was not sent: no knock, flags, payload or network of the rules. The
// scripts are taken out of a file that is passed on, and its comments are not.
func TestCommentsKeepSecrets(t *testing.T) {
	s := hosting(t, wire.File{Path: "a.lua", Source: []byte(`
sesame.door "ssh" { sequence = { "tcp/7001", "udp/9133", "tcp/9144" }, on_wrong = "ignore", guards = "tcp/22" }
sesame.door "flags" { sequence = { "tcp/7001", "tcp/9155" }, flags = "syn,!ece", on_wrong = "ignore", guards = "tcp/23" }
sesame.door "lan" { sequence = { "tcp/7002" }, guards = "tcp/24", when = { sesame.networks { "10.77.0.0/16" } } }
sesame.door "beacon" { sequence = { "udp/7003" }, guards = "tcp/25", prefix = "SESAME-SECRET" }
sesame.door "once" { one_time_sequences = "/var/lib/once", guards = "tcp/26" }`)},
		wire.File{Path: "/var/lib/once", Source: []byte("7001,9166\n")})
	s.says(0, "203.0.113.9 tcp/7001 seq=1").says(1, "203.0.113.9 tcp/9144 seq=2").says(2, "203.0.113.9 tcp/9133 seq=3").
		says(3, "203.0.113.9 udp/9166").says(4, "203.0.113.9 tcp/9155 seq=4").says(5, "203.0.113.9 tcp/7002 seq=5").
		says(6, "203.0.113.9 udp/7003 data=abcdefgh").says(7, "203.0.113.9 udp/9144")
	comments, err := Comments(bytes.NewReader(s.file()))
	must(t, err)
	var got strings.Builder
	for _, number := range slices.Sorted(maps.Keys(comments)) {
		got.WriteString(comments[number] + "\n")
	}
	for _, secret := range []string{"9133", "9144", "9155", "9166", "ece", "SECRET", "10.77"} {
		if strings.Contains(got.String(), secret) {
			t.Errorf("%q is in the comments:\n%s", secret, got.String())
		}
	}
	const want = `ssh: stage 1 of 3; flags: stage 1 of 2; once: stage 1 of 2
ssh: ignored: not the awaited knock
ssh: ignored: not the awaited knock
once: ignored: not the awaited knock
flags: stage 2 of 2, open; flags: tcp/23 for 30s (grant 1)
lan: stage 1 of 1, refused: when
beacon: ignored: another payload
ssh: ignored: not the awaited knock
`
	if got.String() != want {
		t.Errorf("comments:\n%s\nwant:\n%s", got.String(), want)
	}
}

// A recording that is cut has comments up to there, and an error.
func TestCommentsOfACutRecording(t *testing.T) {
	s := hosting(t, wire.File{Path: "a.lua", Source: []byte(`sesame.door "ssh" { sequence = { "tcp/7000", "tcp/8000" }, guards = "tcp/22" }`)})
	s.says(0, "203.0.113.9 tcp/7000 seq=1").says(1, "203.0.113.9 tcp/8000 seq=2")
	file := s.file()
	comments, err := Comments(bytes.NewReader(file[:len(file)-10]))
	if err == nil || comments[1] != "ssh: stage 1 of 2" || len(comments) != 1 {
		t.Errorf("%v, error %v", comments, err)
	}
	if comments, err := Comments(strings.NewReader("no capture")); err == nil || len(comments) != 0 {
		t.Errorf("%v, error %v", comments, err)
	}
}

// A one-time sequence that opened a door then does not open it today, and the replay says why.
func TestOneTimeSequencesThatAreUsed(t *testing.T) {
	const text = `sesame.door "once" { one_time_sequences = "/var/lib/once", guards = "tcp/22" }`
	door := func(lines string) []wire.File {
		return []wire.File{{Path: "a.lua", Source: []byte(text)}, {Path: "/var/lib/once", Source: []byte(lines)}}
	}
	s := hosting(t, door(" 7001,7002\n 8001,8002\n")...)
	s.says(0, "203.0.113.9 tcp/7001 seq=1").says(1, "203.0.113.9 tcp/7002 seq=2")
	path := writeBytes(t, s.file())
	for _, tt := range []struct{ name, lines, want string }{
		{"used", "#7001,7002\n 8001,8002\n", "door once: 203.0.113.9 opened it with a one-time sequence (packet 2 of the daemon). Its line in /var/lib/once is used, so it does not open the door again"},
		{"not used", " 7001,7002\n", ""},
	} {
		set, err := load(record.Scripts{Files: door(tt.lines), Base: "/srv/scripts"}, false, false)
		must(t, err)
		report, err := Run(t.Context(), Config{Captures: []string{path}, Set: set.Engine, Writer: &useWriter{}})
		must(t, err)
		if got := strings.Join(report.Used, "\n"); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
		if opens := report.Opens; (opens == 1) != (tt.want == "") {
			t.Errorf("%s: %d opens", tt.name, opens)
		}
		set.Close()
	}
}
