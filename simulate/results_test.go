package simulate

import (
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"sesame/daemon/engine"
	"sesame/daemon/packet"
	"sesame/daemon/transcript"
)

// decides is a handler that decides the same again and again.
type decides []engine.Operation

func (d decides) Handle(*engine.Call) (engine.Decision, error) {
	return engine.Decision{Operations: slices.Clone(d)}, nil
}

// doing returns a door with one knock whose function decides these operations.
func doing(name string, port uint16, operations ...engine.Operation) *engine.Door {
	d := door(name, port)
	d.Hooks, d.Handler = engine.HookOpen, decides(operations)
	return d
}

// answer gives the engine results for all that waits for one, in order: the first with its error,
// those behind it, if still awaited, with nil.
func (s *story) answer(ms int, events []engine.Event, errs ...error) {
	at := noon.Add(time.Duration(ms) * time.Millisecond)
	var awaited []uint64
	for i := range events {
		if events[i].ID != 0 {
			awaited = append(awaited, events[i].ID)
		}
	}
	for i, id := range awaited {
		var err error
		if i < len(errs) {
			err = errs[i]
		}
		s.replay.report(s.replay.engine.Result(at, id, err))
	}
}

// tries knocks once, and lets the effects that this causes end with errors.
func (s *story) tries(ms int, source string, port uint16, errs ...error) {
	s.number++
	p := packet.Packet{
		Time: noon.Add(time.Duration(ms) * time.Millisecond), Number: s.number,
		Source: netip.MustParseAddr(source), Dest: netip.MustParseAddr("192.0.2.1"),
		SourcePort: 40000, Port: packet.Port{Proto: packet.TCP, Number: port}, Flags: packet.SYN, Sequence: uint32(s.number),
	}
	s.replay.last = p.Time
	events := slices.Clone(s.replay.output.packet(s.replay.engine, &p))
	s.answer(ms, events, errs...)
}

var (
	runs         = engine.Exec{Argv: []string{"/bin/false"}, Timeout: time.Second, Required: true}
	tolerant     = engine.Exec{Argv: []string{"/bin/false"}, Timeout: time.Second, Required: true, AnyStatus: true}
	besides      = engine.Exec{Argv: []string{"/bin/false"}, Timeout: time.Second}
	twoPorts     = engine.Allow{Ports: []packet.Port{{Proto: packet.TCP, Number: 22}, {Proto: packet.TCP, Number: 80}}}
	exits        = &engine.CommandError{Status: 1, Text: "running /bin/false: exit status 1"}
	errSetFull   = errors.New("set k of table inet filter is full (1 element, size 1): raise its size")
	errNoJournal = errors.New("writing the journal: no space left on device")
	errElement   = errors.New("203.0.113.9 to tcp/80: element of set k: invalid argument")
)

func TestAnOpeningThatFailed(t *testing.T) {
	for _, test := range []struct {
		name string
		door *engine.Door
		errs []error
		want string
	}{
		{"a command before the access", doing("ssh", 7000, runs, engine.Allow{}), []error{exits},
			"opened (packet 1), and failed: running /bin/false: exit status 1; so not open: tcp/22"},
		{"a command after the access", doing("ssh", 7000, engine.Allow{}, runs), []error{nil, exits},
			"opened (packet 1), and failed: running /bin/false: exit status 1; so not open: tcp/22"},
		{"a command that may fail, before the access", doing("ssh", 7000, tolerant, engine.Allow{}), []error{exits},
			"opened (packet 1): tcp/22 for 30s; failed: running /bin/false: exit status 1"},
		{"a command that may fail, and is not even there", doing("ssh", 7000, engine.Allow{}, runs), []error{nil, errNoJournal},
			"opened (packet 1), and failed: writing the journal: no space left on device; so not open: tcp/22"},
		{"a command that is not required, before the access", doing("ssh", 7000, besides, engine.Allow{}), []error{exits},
			"opened (packet 1): tcp/22 for 30s; failed: running /bin/false: exit status 1"},
		{"a command that is not required, and is not even there", doing("ssh", 7000, engine.Allow{}, besides), []error{nil, errors.New("running /bin/false: no such file or directory")},
			"opened (packet 1): tcp/22 for 30s; failed: running /bin/false: no such file or directory"},
		{"a command alone that may fail", doing("ssh", 7000, tolerant), []error{exits},
			"opened (packet 1), and failed: running /bin/false: exit status 1"},
		{"a full set", doing("ssh", 7000, engine.Allow{}), []error{errSetFull},
			"opened (packet 1), and failed: tcp/22: set k of table inet filter is full (1 element, size 1): raise its size"},
		{"one of two ports", doing("ssh", 7000, twoPorts), []error{nil, errElement},
			"opened (packet 1), and failed: 203.0.113.9 to tcp/80: element of set k: invalid argument; so not open: tcp/22"},
		{"nothing", doing("ssh", 7000, twoPorts, runs), nil,
			"opened (packet 1): tcp/22 for 30s, tcp/80 for 30s, ran /bin/false"},
		{"a line with control characters", doing("ssh", 7000, engine.Allow{}), []error{errors.New("a\nb\x1b[2J")},
			`opened (packet 1), and failed: tcp/22: "a\nb\x1b[2J"`},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := tell(t, test.door)
			s.tries(0, tom, 7000, test.errs...)
			s.now(1, "203.0.113.9      ssh  "+test.want+"\n")
		})
	}
}

// The record that a one-time sequence was consumed comes before the opening that it belongs to.
func TestAOneTimeSequenceThatCannotBeRecorded(t *testing.T) {
	d := door("ssh", 7000)
	d.OneTime = &engine.OneTime{File: "/once", Sequences: []engine.OneTimeSequence{{Line: "7000", Knocks: d.Sequence}}}
	s := tell(t, d)
	s.tries(0, tom, 7000, errNoJournal)
	s.now(1, "203.0.113.9      ssh  opened (packet 1), and failed: noting that the sequence is used: "+
		"writing the journal: no space left on device; so not open: tcp/22\n")
}

// Several openings of one source: those that stand and those that failed have a line each.
func TestSomeOpeningsFail(t *testing.T) {
	s := tell(t, doing("ssh", 7000, runs, engine.Allow{}))
	for i, err := range []error{exits, nil, exits, nil} {
		s.tries(i*40_000, tom, 7000, err)
	}
	s.now(200_000, `
203.0.113.9      ssh  opened 2 times, first (packet 2): ran /bin/false, tcp/22 for 30s
203.0.113.9      ssh  opened 2 times, last (packet 3), and failed: running /bin/false: exit status 1; so not open: tcp/22
`)
	t.Log("# what an earlier opening gave is open still")
	s = tell(t, doing("ssh", 7000, engine.Allow{}, runs))
	s.tries(0, tom, 7000)
	s.tries(10_000, tom, 7000, nil, exits)
	s.now(11_000, `
203.0.113.9      ssh  opened (packet 1): tcp/22 for 30s, ran /bin/false
203.0.113.9      ssh  opened (packet 2), and failed: running /bin/false: exit status 1
`)
	s = tell(t, doing("ssh", 7000, tolerant, engine.Allow{}))
	for i, err := range []error{nil, exits, exits, nil} {
		s.tries(i*40_000, tom, 7000, err)
	}
	s.now(200_000, `
203.0.113.9      ssh  opened 4 times, first (packet 1): ran /bin/false, tcp/22 for 30s; failed 2 times, last (packet 3): running /bin/false: exit status 1
`)
}

// Results come late: a command runs for a while, and other sources knock in the meantime.
func TestAFailureThatComesLate(t *testing.T) {
	s := tell(t, doing("ssh", 7000, runs, engine.Allow{}))
	var first []engine.Event
	for i, source := range []string{tom, eve} {
		s.number++
		p := packet.Packet{
			Time: noon, Number: s.number, Source: netip.MustParseAddr(source), Dest: netip.MustParseAddr("192.0.2.1"),
			SourcePort: 40000, Port: packet.Port{Proto: packet.TCP, Number: 7000}, Flags: packet.SYN, Sequence: uint32(s.number),
		}
		events := slices.Clone(s.replay.output.packet(s.replay.engine, &p))
		if i == 0 {
			first = events
		} else {
			s.answer(5, events)
		}
	}
	s.answer(10, first, exits)
	s.now(11, `
203.0.113.9      ssh  opened (packet 1), and failed: running /bin/false: exit status 1; so not open: tcp/22
198.51.100.7     ssh  opened (packet 2): ran /bin/false, tcp/22 for 30s
`)
}

// An undo fails after the opening, and is said with it.
func TestAnUndoThatFails(t *testing.T) {
	undone := engine.Exec{Argv: []string{"/bin/on"}, Undo: []string{"/bin/off"}, Timeout: time.Second}
	s := tell(t, doing("ssh", 7000, undone))
	s.tries(0, tom, 7000)
	next, _ := s.replay.engine.Next()
	events := slices.Clone(s.replay.engine.Tick(next))
	s.replay.report(events)
	s.answer(31_000, events, &engine.CommandError{Status: 3, Text: "running /bin/off: exit status 3"})
	s.now(40_000, `
203.0.113.9      ssh  opened (packet 1): ran /bin/on; failed: undo: running /bin/off: exit status 3
`)
}

// The summary counts failures, and says nothing when there is none.
func TestTheSummaryCountsFailures(t *testing.T) {
	for _, test := range []struct {
		failed     int
		text, json string
	}{
		{0, "0 errors\n", `"errors":0,"dropped"`}, {1, "0 errors, 1 failed effect\n", `"errors":0,"failed":1,"dropped"`}, {2, ", 2 failed effects\n", `"failed":2`},
	} {
		var text, json strings.Builder
		summary := transcript.Summary{Failed: test.failed}
		if err := errors.Join(transcript.NewText(&text, transcript.TextOptions{}).Summary(summary), transcript.NewJSON(&json).Summary(summary)); err != nil {
			t.Fatal(err)
		}
		if !strings.HasSuffix(text.String(), test.text) || !strings.Contains(json.String(), test.json) {
			t.Errorf("%d failures: %q, %q", test.failed, text.String(), json.String())
		}
	}
	s := tell(t, doing("ssh", 7000, runs))
	s.tries(0, tom, 7000, exits)
	if s.replay.failed != 1 {
		t.Errorf("%d failures are counted, want 1", s.replay.failed)
	}
}
