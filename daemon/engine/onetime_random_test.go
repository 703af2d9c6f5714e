package engine

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"sesame/daemon/packet"
)

// A history is an engine with a daemon that carries out the effects one by one, crashes between
// any two of them, and reads the file of one-time sequences at any time. That a line was used is
// in the file, in the journal, or in memory.
type history struct {
	t    *rapid.T
	e    *Engine
	now  time.Time
	sent int

	file      []string // a line that is commented out begins with #
	readOnly  bool
	journal   map[Consumed]int
	unwritten []Record // records that the full journal did not take
	full      bool
	queue     []Event  // effects that wait
	results   []func() // that the engine was not yet given
	lineOf    map[uint64]string
	read      []string // by a reload that is under way; nil: none is
	changes   int      // when it was

	had, asked, given map[string]int // by line
	doors             func(lines []string) []*Door
}

func newHistory(t *rapid.T) *history {
	h := &history{t: t, now: monday, journal: map[Consumed]int{}, had: map[string]int{}, asked: map[string]int{}, given: map[string]int{}}
	for range rapid.IntRange(1, 6).Draw(t, "lines") {
		n := rapid.IntRange(1, 4).Draw(t, "line")
		line := fmt.Sprintf("%d,%d", 500+n, 510+n/2)
		h.file = append(h.file, line)
		h.had[line]++
	}
	group, two := rapid.Bool().Draw(t, "a group"), rapid.Bool().Draw(t, "two doors")
	h.doors = func(lines []string) []*Door {
		var doors []*Door
		for _, name := range []string{"v", "w"} {
			d := guarding(nil, aDoor(nil, name), "tcp/22")
			if group {
				inGroup(d, "k")
			}
			if doors = append(doors, withSequences(nil, d, lines...)); !two {
				break
			}
		}
		return doors
	}
	h.start()
	return h
}

// unused returns what a reading of the file finds.
func (h *history) unused() []string {
	return slices.DeleteFunc(slices.Clone(h.file), func(line string) bool { return line[0] == '#' })
}

// start starts the daemon. All that the last one had in memory is lost.
func (h *history) start() {
	h.queue, h.results, h.unwritten, h.read, h.lineOf = nil, nil, nil, nil, map[uint64]string{}
	h.e = New(Config{}, h.now)
	var records []Record
	for use, n := range h.journal {
		for range n {
			records = append(records, Record{Consumed: &use})
		}
	}
	set := &Set{Doors: h.doors(h.unused())}
	if rapid.Bool().Draw(h.t, "doors first") {
		h.record(h.e.Swap(h.now, set))
		h.record(h.e.Restore(h.now, records))
	} else {
		h.record(h.e.Restore(h.now, records))
		h.record(h.e.Swap(h.now, set))
	}
}

func (h *history) record(events []Event) {
	for _, event := range events {
		if event.Effect == EffectConsume {
			h.asked[event.Text]++
			h.lineOf[event.Decision] = event.Text
		}
		if event.Kind == EventEffect {
			h.queue = append(h.queue, event)
		}
	}
}

func (h *history) write(records ...Record) bool {
	if h.unwritten = append(h.unwritten, records...); h.full {
		return false
	}
	for _, r := range h.unwritten {
		switch {
		case r.Consumed == nil:
		case !r.Ended:
			h.journal[*r.Consumed]++
		case h.journal[*r.Consumed] > 1:
			h.journal[*r.Consumed]--
		default:
			delete(h.journal, *r.Consumed)
		}
	}
	h.unwritten = nil
	return true
}

// carryOutNext carries out the next effect, if there is one.
func (h *history) carryOutNext() {
	if len(h.queue) == 0 {
		return
	}
	event := h.queue[0]
	h.queue = h.queue[1:]
	var err error
	switch event.Effect {
	case EffectPersist:
		h.write(*event.Persist)
	case EffectConsume:
		if !h.write(*event.Persist) {
			err = errNo
			h.queue = slices.DeleteFunc(h.queue, func(other Event) bool { return other.Decision == event.Decision })
		}
	case EffectCommentOut:
		if h.readOnly {
			err = errNo
		} else if i := slices.Index(h.file, event.Text); i >= 0 {
			h.file[i] = "#" + h.file[i][1:]
		}
	case EffectAllow:
		h.given[h.lineOf[event.Decision]]++
	case EffectExec, EffectUndo, EffectLog, EffectElement, EffectCut:
	}
	if event.ID != 0 {
		h.results = append(h.results, func() { h.record(h.e.Result(h.now, event.ID, err)) })
	}
}

func (h *history) deliver() {
	if len(h.results) > 0 {
		next := h.results[0]
		h.results = h.results[1:]
		next()
	}
}

func (h *history) knock(source int, port string) {
	h.sent++
	h.record(h.e.Packet(&packet.Packet{
		Time: h.now, Number: h.sent, Source: netip.AddrFrom4([4]byte{203, 0, 113, byte(source)}), Dest: netip.MustParseAddr("198.51.100.1"),
		SourcePort: uint16(h.sent), Port: ports(nil, "udp/"+port)[0],
	}))
}

// reload reads the file, or swaps in what was read; unless something was used
// since, and then it reads again.
func (h *history) reload() {
	if h.read != nil && h.changes == h.e.OneTimeChanges() {
		h.record(h.e.Swap(h.now, &Set{Doors: h.doors(h.read)}))
		h.read = nil
		return
	}
	h.read, h.changes = append([]string{}, h.unused()...), h.e.OneTimeChanges()
}

func (h *history) act() {
	switch n := rapid.IntRange(0, 39).Draw(h.t, "act"); {
	case n < 12:
		line := rapid.SampledFrom(h.file).Draw(h.t, "line")
		for port := range strings.SplitSeq("5"+strings.TrimLeft(line, "#5"), ",") {
			h.knock(1, port)
		}
	case n < 17:
		h.knock(rapid.IntRange(1, 3).Draw(h.t, "source"), fmt.Sprint(rapid.IntRange(501, 504).Draw(h.t, "first")))
	case n < 20:
		h.knock(rapid.IntRange(1, 3).Draw(h.t, "source"), fmt.Sprint(rapid.IntRange(510, 512).Draw(h.t, "second")))
	case n < 28:
		h.carryOutNext()
	case n < 33:
		h.deliver()
	case n < 36:
		h.reload()
	case n == 36:
		h.full = !h.full
	case n == 37:
		h.readOnly = !h.readOnly
	case n == 38:
		h.now = h.now.Add(6 * time.Second)
		h.record(h.e.Tick(h.now))
	default:
		h.start()
	}
}

// settle lets everything be done that is to be done, on a machine that is well.
func (h *history) settle() {
	h.full, h.readOnly = false, false
	h.write()
	for len(h.queue)+len(h.results) > 0 {
		h.carryOutNext()
		h.deliver()
	}
}

// TestNoLineIsEverUsedTwice lets daemons live and die at random. No line gives more
// often than it is in the file, and what gave something is marked in the end.
func TestNoLineIsEverUsedTwice(t *testing.T) {
	gave := 0
	rapid.Check(t, func(t *rapid.T) {
		h := newHistory(t)
		for range rapid.IntRange(1, 80).Draw(t, "acts") {
			h.act()
			for line, n := range h.given { // had is 0 for what hangs on no line
				if n > h.had[line] {
					t.Fatalf("%q gave %d times, and is there %d times", line, n, h.had[line])
				}
			}
		}
		h.settle()
		h.start()
		h.settle()
		left := map[string]int{}
		for _, line := range h.unused() {
			left[line]++
		}
		for line, n := range h.had {
			switch marked := n - left[line]; {
			case marked < h.given[line]:
				t.Fatalf("%q gave %d times and is marked %d times", line, h.given[line], marked)
			case h.asked[line] == 0 && marked > 0, n == 1 && marked > h.asked[line]:
				t.Fatalf("%q was used %d times and is marked %d times", line, h.asked[line], marked)
			}
			gave += h.given[line]
		}
		if len(h.journal) > 0 || h.e.Unanswered() > 0 {
			t.Fatalf("left: %v in the journal, %d unanswered", h.journal, h.e.Unanswered())
		}
	})
	if gave < 20 && !testing.Short() { // which tries a part alone
		t.Errorf("only %d times anything was given: the test proves little", gave)
	}
}
