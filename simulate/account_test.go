package simulate

import (
	"cmp"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"sesame/daemon/engine"
	"sesame/daemon/packet"
	"sesame/daemon/transcript"
	"sesame/simulate/account"
)

var noon = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)

// door returns a door for a sequence of TCP ports that guards tcp/22.
func door(name string, ports ...uint16) *engine.Door {
	d := &engine.Door{
		Name: name, Script: name + ".lua", Line: 1, Within: 8 * time.Second, TTL: 30 * time.Second,
		Guards: []packet.Port{{Proto: packet.TCP, Number: 22}},
	}
	for _, port := range ports {
		d.Sequence = append(d.Sequence, engine.Knock{Port: packet.Port{Proto: packet.TCP, Number: port}, Flags: engine.SYN})
	}
	return d
}

// A story is a replay whose packets a test sends one by one.
type story struct {
	t       *testing.T
	replay  replay
	number  int
	dest    string // of what is sent; "": this host
	payload string // of what is sent
	segment uint32 // sequence number of what is sent; 0: the number of the packet
	text    strings.Builder
}

func tell(t *testing.T, doors ...*engine.Door) *story {
	set := &engine.Set{Doors: doors}
	s := &story{t: t}
	s.replay.writer = transcript.NewText(&s.text, transcript.TextOptions{})
	s.replay.account = account.New()
	s.replay.begin(noon, set, nil)
	return s
}

// knock sends a SYN at so many milliseconds.
func (s *story) knock(ms int, source string, port uint16) {
	s.send(ms, source, port, packet.SYN)
}

func (s *story) send(ms int, source string, port uint16, flags packet.Flags) {
	s.number++
	p := packet.Packet{
		Time: noon.Add(time.Duration(ms) * time.Millisecond), Number: s.number,
		Source: netip.MustParseAddr(source), Dest: netip.MustParseAddr("192.0.2.1"),
		SourcePort: 40000, Port: packet.Port{Proto: packet.TCP, Number: port}, Flags: flags, Sequence: cmp.Or(s.segment, uint32(s.number)), Payload: []byte(s.payload),
	}
	if s.dest != "" {
		p.Dest = netip.MustParseAddr(s.dest)
	}
	s.replay.last = p.Time
	s.replay.packet(&p)
}

// ends compares the account at the end of the capture.
func (s *story) ends(want string) {
	s.t.Helper()
	s.replay.end(time.Hour)
	var got strings.Builder
	s.replay.account.Write(&got)
	if diff := gocmp.Diff(strings.TrimLeft(want, "\n"), got.String()); diff != "" {
		s.t.Errorf("account (-want +got):\n%s", diff)
	}
	if s.t.Failed() {
		s.replay.writer.Summary(transcript.Summary{})
		s.t.Log("\n" + s.text.String())
	}
}

// endsFor compares the account of Tom at one door at the end of the capture.
func (s *story) endsFor(door string, want ...string) {
	s.t.Helper()
	s.replay.end(time.Hour)
	var got []string
	for one := range s.replay.account.All() {
		if one.Source == netip.MustParseAddr(tom) && one.Door == door {
			got = append(got, one.Lines...)
		}
	}
	if diff := gocmp.Diff(want, got); diff != "" {
		s.t.Errorf("account (-want +got):\n%s", diff)
	}
}

const tom, eve = "203.0.113.9", "198.51.100.7"

func TestAccountOfAnOpening(t *testing.T) {
	s := tell(t, door("ssh", 7000, 8000, 9000))
	s.knock(0, tom, 7000)
	s.knock(500, tom, 8000)
	s.knock(900, tom, 9000)
	s.ends(`
203.0.113.9      ssh  opened (packet 3), 7.1s of 8s left: tcp/22 for 30s
`)
}

func TestAccountOfSeveralOpenings(t *testing.T) {
	s := tell(t, door("ssh", 7000, 8000))
	for i := range 3 {
		s.knock(i*1000, tom, 7000)
		s.knock(i*1000+500, tom, 8000)
	}
	s.knock(5000, eve, 7000)
	s.ends(`
203.0.113.9      ssh  opened 3 times, first (packet 2), at least 7.5s of 8s left: tcp/22 for 30s
198.51.100.7     ssh  stopped at 1 of 2: tcp/8000 did not come before the capture ended
`)
}

func TestAKnockThatCameTooLate(t *testing.T) {
	for _, test := range []struct {
		name  string
		step  time.Duration
		knock func(s *story)
		want  string
	}{
		{"by the whole sequence", 0, func(s *story) {
			s.knock(0, tom, 7000)
			s.knock(100, tom, 8000)
			s.knock(8341, tom, 9000)
		}, "stopped at 2 of 4: tcp/9000 came 341ms too late (packet 3, within 8s)"},
		{"by the whole sequence, at the first stage", 0, func(s *story) {
			s.knock(0, tom, 7000)
			s.knock(9000, tom, 8000)
		}, "stopped at 1 of 4: tcp/8000 came 1s too late (packet 2, within 8s)"},
		{"after a repeat restarted the clock", 0, func(s *story) {
			s.knock(0, tom, 7000)
			s.knock(3000, tom, 7000)
			s.knock(11250, tom, 8000)
		}, "stopped at 1 of 4: tcp/8000 came 250ms too late (packet 3, within 8s)"},
		{"by a step", 3 * time.Second, func(s *story) {
			s.knock(0, tom, 7000)
			s.knock(100, tom, 8000)
			s.knock(4551, tom, 9000)
		}, "stopped at 2 of 4: tcp/9000 came 1.451s too late (packet 3, step_timeout 3s)"},
		{"by a step, at the first stage", 3 * time.Second, func(s *story) {
			s.knock(0, tom, 7000)
			s.knock(4000, tom, 8000)
		}, "stopped at 1 of 4: tcp/8000 came 1s too late (packet 2, step_timeout 3s)"},
		{"exactly at the limit", 0, func(s *story) {
			s.knock(0, tom, 7000)
			s.knock(100, tom, 8000)
			s.knock(8000, tom, 9000)
		}, "stopped at 2 of 4: tcp/9000 came exactly at the limit, which is too late (packet 3, within 8s)"},
		{"when others came in between", 0, func(s *story) {
			s.knock(0, tom, 7000)
			s.knock(100, tom, 8000)
			s.knock(9000, eve, 9000)
			s.knock(9100, tom, 443)
			s.knock(9500, tom, 9000)
		}, "stopped at 2 of 4: tcp/9000 came 1.5s too late (packet 5, within 8s)\n" +
			"198.51.100.7     ssh  never began: tcp/9000 came (packet 3); tcp/7000, tcp/8000, tcp/6000 did not"},
		{"never", 0, func(s *story) {
			s.knock(0, tom, 7000)
			s.knock(100, tom, 8000)
			s.knock(9000, tom, 443)
		}, "stopped at 2 of 4: tcp/9000 did not come in time (within 8s)"},
		{"not even before the end", 0, func(s *story) {
			s.knock(0, tom, 7000)
			s.knock(100, tom, 8000)
		}, "stopped at 2 of 4: tcp/9000 did not come before the capture ended"},
	} {
		t.Run(test.name, func(t *testing.T) {
			d := door("ssh", 7000, 8000, 9000, 6000)
			d.StepTimeout = test.step
			s := tell(t, d)
			test.knock(s)
			s.ends("203.0.113.9      ssh  " + test.want + "\n")
		})
	}
}

func TestAWrongKnockIsNamed(t *testing.T) {
	for _, test := range []struct {
		name  string
		knock func(s *story)
		want  string
	}{
		{"at the second stage", func(s *story) {
			s.knock(0, tom, 7000)
			s.knock(100, tom, 8000)
			s.knock(200, tom, 6000)
		}, "stopped at 2 of 4: tcp/6000 came (packet 3), tcp/9000 was expected"},
		{"at the first stage, which no event reports", func(s *story) {
			s.knock(0, tom, 7000)
			s.knock(200, tom, 9000)
		}, "stopped at 1 of 4: tcp/9000 came (packet 2), tcp/8000 was expected"},
		{"the furthest of several", func(s *story) {
			s.knock(0, tom, 7000)
			s.knock(100, tom, 8000)
			s.knock(200, tom, 9000)
			s.knock(300, tom, 8000)
			s.knock(400, tom, 7000)
			s.knock(500, tom, 8000)
			s.knock(600, tom, 6000)
		}, "stopped 2 times, the furthest at 3 of 4: tcp/8000 came (packet 4), tcp/6000 was expected"},
		{"with other flags", func(s *story) {
			s.knock(0, tom, 7000)
			s.knock(100, tom, 8000)
			s.send(200, tom, 9000, packet.SYN|packet.ACK)
			s.knock(300, tom, 6000)
		}, "stopped at 2 of 4: tcp/6000 came (packet 4), tcp/9000 was expected"},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := tell(t, door("ssh", 7000, 8000, 9000, 6000))
			test.knock(s)
			s.ends("203.0.113.9      ssh  " + test.want + "\n")
		})
	}
}

// no is a condition that never holds.
type no struct{}

func (no) Check(*engine.Call) (engine.Verdict, error) {
	return engine.Verdict{Detail: "hours: mon-fri 08:00-09:00 UTC"}, nil
}
func (no) String() string { return "hours" }
func (no) Name() string   { return "hours" }

// broken is a handler that always fails.
type broken struct{}

func (broken) Handle(*engine.Call) (engine.Decision, error) {
	return engine.Decision{}, &engine.Fault{Script: "web.lua", Line: 7, Detail: "attempt to index\nnil"}
}

func TestARefusalIsNamed(t *testing.T) {
	closed, failing := door("ssh", 7000, 8000), door("web", 1000, 2000)
	closed.When = []engine.Condition{no{}}
	failing.Handler, failing.Hooks = broken{}, engine.HookOpen
	s := tell(t, closed, failing)
	for i, port := range []uint16{7000, 8000, 7000, 8000, 1000, 2000} {
		s.knock(i*10, tom, port)
	}
	s.ends(`
203.0.113.9      ssh  refused 2 times, last (packet 4): hours: mon-fri 08:00-09:00 UTC
203.0.113.9      web  failed: "web.lua:7: attempt to index\nnil"
`)
	if errors := s.replay.engine.Counts().Errors; errors != 1 {
		t.Errorf("%d errors, want 1", errors)
	}
}

func TestHowManyMoreSources(t *testing.T) {
	s := tell(t, door("ssh", 7000, 8000))
	for i := range 20 + 12 {
		s.knock(i, fmt.Sprintf("10.0.0.%d", i), 7000)
	}
	s.replay.end(time.Hour)
	var text strings.Builder
	s.replay.account.Write(&text)
	if !strings.HasSuffix(text.String(), "\nand 12 more sources\n") {
		t.Errorf("the account ends with %q", text.String()[max(0, text.Len()-100):])
	}
}

// The account awaits the next knock of the current one-time sequence, also when it is longer than
// the sequence before it.
func TestAccountOfOneTimeSequences(t *testing.T) {
	d := door("vault")
	d.OneTime = &engine.OneTime{File: "/once", Sequences: []engine.OneTimeSequence{
		{Line: "7000,8000", Knocks: door("", 7000, 8000).Sequence},
		{Line: "7001,8001,9001,9002", Knocks: door("", 7001, 8001, 9001, 9002).Sequence},
	}}
	d.Sequence = d.OneTime.Sequences[0].Knocks
	s := tell(t, d)
	s.knock(0, tom, 7000)
	s.knock(100, tom, 8000)
	for i, port := range []uint16{7001, 8001, 9001} {
		s.knock(200+i, tom, port)
	}
	s.knock(10_000, tom, 9002)
	s.knock(10_001, tom, 7000)
	s.ends(`
203.0.113.9      vault  opened (packet 2), 7.9s of 8s left: tcp/22 for 30s
203.0.113.9      vault  stopped at 3 of 4: tcp/9002 came 1.8s too late (packet 6, within 8s)
`)
}
