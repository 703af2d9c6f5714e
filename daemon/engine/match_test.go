package engine

import (
	"testing"
	"time"

	"sesame/daemon/packet"
)

const (
	alice = "203.0.113.9"
	bob   = "203.0.113.77"
)

func classic(t testing.TB) *Door {
	return guarding(t, aDoor(t, "ssh", "tcp/7000", "udp/8000", "tcp/9000"), "tcp/22")
}

func TestTheSequenceOpens(t *testing.T) {
	w := newWorld(t, classic(t))
	w.knock(alice, "tcp/7000")
	w.advance(time.Second)
	w.knock(alice, "udp/8000")
	w.advance(time.Second)
	w.knock(alice, "tcp/9000")
	w.tick(time.Minute)
	w.want(
		"0s stage ssh 203.0.113.9 1/3",
		"1s stage ssh 203.0.113.9 2/3",
		"2s stage ssh 203.0.113.9 3/3",
		"2s open ssh 203.0.113.9",
		"2s effect ssh 203.0.113.9 allow #1 tcp/22 30s",
		"32s close ssh 203.0.113.9 #1 tcp/22 expired",
	)
}

func TestSourcesDoNotMix(t *testing.T) {
	w := newWorld(t, classic(t))
	w.knock(alice, "tcp/7000", "udp/8000")
	w.knock(bob, "tcp/9000")
	w.want("0s stage ssh 203.0.113.9 1/3", "0s stage ssh 203.0.113.9 2/3")
	if n := w.e.Counts().Opens; n != 0 {
		t.Errorf("opened %d times", n)
	}
}

func TestWrongKnocks(t *testing.T) {
	tests := []struct {
		name string
		door func(*Door)
		send []string
		want []string
	}{
		{"out of order, and the knock begins nothing", nil, []string{"tcp/7000", "udp/8000", "tcp/9000", "tcp/9000"}, []string{"1/3", "2/3", "3/3", "open", "effect"}},
		{"a later knock first", nil, []string{"tcp/7000", "tcp/9000", "udp/8000", "tcp/9000"}, []string{"1/3"}},
		{"at the second stage it is told", nil, []string{"tcp/7000", "udp/8000", "udp/8000", "tcp/7000", "udp/8000", "tcp/9000"},
			[]string{"1/3", "2/3", "miss 2/3 out_of_order", "1/3", "2/3", "3/3", "open", "effect"}},
		{"a repeat is forgiven", nil, []string{"tcp/7000", "tcp/7000", "udp/8000", "udp/8000", "tcp/9000"}, []string{"1/3", "2/3", "3/3", "open", "effect"}},
		{"unless it is not", func(d *Door) { d.Duplicates = DuplicatesWrong }, []string{"tcp/7000", "tcp/7000", "udp/8000", "udp/8000", "tcp/9000"},
			[]string{"1/3", "1/3", "2/3", "miss 2/3 out_of_order"}},
		{"wrong knocks can be ignored", func(d *Door) { d.OnWrong = WrongIgnored }, []string{"tcp/7000", "tcp/9000", "udp/8000", "tcp/7000", "tcp/9000"}, []string{"1/3", "2/3", "3/3", "open", "effect"}},
		{"a port of no door is nothing", nil, []string{"tcp/7000", "tcp/1234", "udp/8000", "tcp/9000"}, []string{"1/3", "2/3", "3/3", "open", "effect"}},
		{"but not to a strict door", func(d *Door) { d.Strict = true }, []string{"tcp/7000", "udp/8000", "tcp/1234", "tcp/9000"}, []string{"1/3", "2/3", "miss 2/3 wrong_port"}},
		{"which minds no guarded port", func(d *Door) { d.Strict = true }, []string{"tcp/7000", "tcp/22", "udp/8000", "tcp/9000"}, []string{"1/3", "2/3", "3/3", "open", "effect"}},
		{"nor an excepted one", func(d *Door) { d.Strict = true; d.Except = ports(t, "udp/53") }, []string{"tcp/7000", "udp/53", "udp/8000", "tcp/9000"}, []string{"1/3", "2/3", "3/3", "open", "effect"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			d := classic(t)
			if test.door != nil {
				test.door(d)
			}
			w := newWorld(t, d)
			w.knock(alice, test.send...)
			w.want(short(test.want)...)
		})
	}
}

// short expands the table's words to the lines of an event at ten o'clock.
func short(words []string) []string {
	lines := []string{}
	for _, word := range words {
		switch {
		case word == "open":
			word = "0s open ssh " + alice
		case word == "effect":
			word = "0s effect ssh " + alice + " allow #1 tcp/22 30s"
		case word[0] == 'm':
			word = "0s miss ssh " + alice + word[4:]
		default:
			word = "0s stage ssh " + alice + " " + word
		}
		lines = append(lines, word)
	}
	return lines
}

func TestTimeouts(t *testing.T) {
	t.Log("# a knock at exactly the limit is too late")
	w := newWorld(t, classic(t))
	w.knock(alice, "tcp/7000", "udp/8000")
	w.advance(10 * time.Second)
	w.knock(alice, "tcp/9000")
	w.want("0s stage ssh 203.0.113.9 1/3", "0s stage ssh 203.0.113.9 2/3", "10s miss ssh 203.0.113.9 2/3 total_timeout")

	t.Log("# a step has its own limit, and the earlier one is the reason")
	d := classic(t)
	d.StepTimeout = 3 * time.Second
	w = newWorld(t, d)
	w.knock(alice, "tcp/7000")
	w.advance(2 * time.Second)
	w.knock(alice, "udp/8000")
	w.tick(time.Minute)
	w.want("0s stage ssh 203.0.113.9 1/3", "2s stage ssh 203.0.113.9 2/3", "5s miss ssh 203.0.113.9 2/3 step_timeout")

	t.Log("# a first knock that nothing follows is counted, not told")
	w.knock(bob, "tcp/7000")
	w.advance(time.Minute)
	w.knock(bob, "udp/8000")
	w.want("1m2s stage ssh 203.0.113.77 1/3")
	if n := w.e.Counts().Misses; n != 2 {
		t.Errorf("%d misses, want 2", n)
	}

	t.Log("# repeating the first knock restarts the clock")
	w = newWorld(t, classic(t))
	w.knock(alice, "tcp/7000")
	w.advance(9 * time.Second)
	w.knock(alice, "tcp/7000")
	w.advance(9 * time.Second)
	w.knock(alice, "udp/8000", "tcp/9000")
	w.want("0s stage ssh 203.0.113.9 1/3", "18s stage ssh 203.0.113.9 2/3", "18s stage ssh 203.0.113.9 3/3",
		"18s open ssh 203.0.113.9", "18s effect ssh 203.0.113.9 allow #1 tcp/22 30s")
}

func TestFallBackToAShorterRun(t *testing.T) {
	t.Log("# 1 2 1 3: a second 1 2 1 2 keeps the run that it ends with")
	w := newWorld(t, aDoor(t, "d", "tcp/1", "tcp/2", "tcp/1", "tcp/3"))
	w.knock(alice, "tcp/1", "tcp/2", "tcp/1", "tcp/2", "tcp/1", "tcp/3")
	w.want("0s stage d 203.0.113.9 1/4", "0s stage d 203.0.113.9 2/4", "0s stage d 203.0.113.9 3/4",
		"0s miss d 203.0.113.9 3/4 out_of_order", "0s stage d 203.0.113.9 2/4",
		"0s stage d 203.0.113.9 3/4", "0s stage d 203.0.113.9 4/4", "0s open d 203.0.113.9")

	t.Log("# when the longer run expires, the shorter one is judged by its own first knock")
	w = newWorld(t, aDoor(t, "d", "tcp/1", "tcp/2", "tcp/1", "tcp/3"))
	w.knock(alice, "tcp/1")
	w.advance(6 * time.Second)
	w.knock(alice, "tcp/2", "tcp/1")
	w.advance(6 * time.Second)
	w.knock(alice, "tcp/2", "tcp/1", "tcp/3")
	w.want("0s stage d 203.0.113.9 1/4", "6s stage d 203.0.113.9 2/4", "6s stage d 203.0.113.9 3/4",
		"10s miss d 203.0.113.9 3/4 total_timeout", "10s stage d 203.0.113.9 1/4",
		"12s stage d 203.0.113.9 2/4", "12s stage d 203.0.113.9 3/4", "12s stage d 203.0.113.9 4/4", "12s open d 203.0.113.9")
}

func TestRetransmitsAreNoKnocks(t *testing.T) {
	d := classic(t)
	d.Duplicates = DuplicatesWrong
	w := newWorld(t, d)
	first := w.packet(alice, "tcp/7000")
	w.record(w.e.Packet(&first))
	w.knock(alice, "udp/8000")
	again := first
	again.Time, again.Number = w.now.Add(time.Second), 99
	w.record(w.e.Packet(&again))
	w.advance(2 * time.Second)
	w.knock(alice, "tcp/9000")

	t.Log("# nor after the attempt is over")
	again.Time = w.now
	w.record(w.e.Packet(&again))
	w.want("0s stage ssh 203.0.113.9 1/3", "0s stage ssh 203.0.113.9 2/3", "2s stage ssh 203.0.113.9 3/3",
		"2s open ssh 203.0.113.9", "2s effect ssh 203.0.113.9 allow #1 tcp/22 30s")
	if n := w.e.Counts().Dropped[packet.Retransmit]; n != 2 {
		t.Errorf("%d retransmits, want 2", n)
	}
}

func TestAFloodMakesNoAttemptForgetItsRetransmits(t *testing.T) {
	w := newWorld(t, classic(t))
	w.e.resends = newMemory[struct{}](int64(resendSpan), 1<<12)
	first := w.packet(alice, "tcp/7000")
	w.record(w.e.Packet(&first))
	w.knock(alice, "udp/8000")
	for range 1 << 13 {
		p := w.packet(bob, "tcp/9000")
		p.Sequence = uint32(w.sent)
		w.e.Packet(&p)
	}
	w.record(w.e.Packet(&first))
	w.knock(alice, "tcp/9000")
	w.want("0s stage ssh 203.0.113.9 1/3", "0s stage ssh 203.0.113.9 2/3", "0s stage ssh 203.0.113.9 3/3",
		"0s open ssh 203.0.113.9", "0s effect ssh 203.0.113.9 allow #1 tcp/22 30s")
}

func TestFlags(t *testing.T) {
	w := newWorld(t, classic(t))
	ack := w.packet(alice, "tcp/7000")
	ack.Flags = packet.ACK
	synack := w.packet(alice, "tcp/7000")
	synack.Flags = packet.SYN | packet.ACK
	w.record(w.e.Packet(&ack))
	w.record(w.e.Packet(&synack))
	w.want()
	if n := w.e.Counts().Dropped[packet.NotWatched]; n != 2 {
		t.Errorf("%d not watched, want 2", n)
	}

	t.Log("# a script may ask for others")
	d := classic(t)
	d.Sequence[0].Flags = FlagTest{Set: packet.FIN, Clear: packet.SYN}
	w = newWorld(t, d)
	fin := w.packet(alice, "tcp/7000")
	fin.Flags = packet.FIN | packet.ACK
	w.record(w.e.Packet(&fin))
	w.want("0s stage ssh 203.0.113.9 1/3")
}

func TestOneKnockOpens(t *testing.T) {
	d := guarding(t, aDoor(t, "bell", "udp/500"), "tcp/22")
	d.Limit = &Limit{Count: 2, Per: time.Minute, Text: "2/1m"}
	w := newWorld(t, d)
	w.knock(alice, "udp/500")
	w.knock(bob, "udp/500", "udp/500", "udp/500")
	w.advance(30 * time.Second)
	w.knock(bob, "udp/500")
	w.want(
		"0s stage bell 203.0.113.9 1/1", "0s open bell 203.0.113.9", "0s effect bell 203.0.113.9 allow #1 tcp/22 30s",
		"0s stage bell 203.0.113.77 1/1", "0s open bell 203.0.113.77", "0s effect bell 203.0.113.77 allow #2 tcp/22 30s",
		"0s stage bell 203.0.113.77 1/1", "0s refuse bell 203.0.113.77 limit (2/1m)",
		"0s stage bell 203.0.113.77 1/1",
		"30s close bell 203.0.113.9 #1 tcp/22 expired", "30s close bell 203.0.113.77 #2 tcp/22 expired",
		"30s stage bell 203.0.113.77 1/1", "30s open bell 203.0.113.77", "30s effect bell 203.0.113.77 allow #3 tcp/22 30s",
	)
	if n := w.e.Counts().Refusals; n != 2 {
		t.Errorf("%d refusals, want 2", n)
	}
}

func TestTheClockNeverGoesBack(t *testing.T) {
	w := newWorld(t, classic(t))
	w.knock(alice, "tcp/7000")
	w.advance(-time.Hour)
	w.knock(alice, "udp/8000")
	w.want("0s stage ssh 203.0.113.9 1/3", "0s stage ssh 203.0.113.9 2/3")
	if n := w.e.Counts().Clamped; n != 1 {
		t.Errorf("%d clamped, want 1", n)
	}
}
