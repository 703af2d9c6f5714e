package effect

import (
	"context"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"sesame/daemon/engine"
	"sesame/daemon/packet"
)

// The effects of one decision may stand around the close of a grant that the
// decision ends, as an open that first closes does. The kernel gets them in the
// order in which the engine decided.
func TestACloseWithinADecisionKeepsItsPlace(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHost(t, Config{})
		first, second := h.allow(1, alice, web, time.Minute), h.allow(2, alice, ssh, time.Minute)
		second[1].Decision = 1
		h.give(slices.Concat(first, closed(9, alice, ssh), second))
		h.want(t, "1, 2", "0s apply 203.0.113.9 tcp/80 1m0s; 203.0.113.9 tcp/22 gone; 203.0.113.9 tcp/22 1m0s", "0s persist +1 +2")
	})
}

// What is queued before an install is performed before it, and what is queued after
// it is performed after it.
func TestAnInstallKeepsItsPlace(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newStoppedHost(Config{})
		h.r.Enqueue(h.allow(1, alice, ssh, time.Minute))
		h.r.Install(Guards{}, []engine.Element{{Source: alice, Port: ssh, Until: time.Now().Add(time.Minute)}})
		h.r.Enqueue(closed(1, alice, ssh))
		h.start()
		defer h.cancel()
		h.want(t, "1", "0s apply 203.0.113.9 tcp/22 1m0s", "0s install 1", "0s apply 203.0.113.9 tcp/22 gone", "0s persist +1")
	})
}

// A decision that continues at the moment of an install was decided before it: its
// element is changed first, and is in the install.
func TestADecisionThatGoesOnComesBeforeAnInstall(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newStoppedHost(Config{}) // whose worker is this test
		gate := make(chan struct{})
		h.r.exec = func(_ context.Context, _ Command, answer func(Output, error)) {
			<-gate
			answer(Output{}, nil)
		}
		h.r.Enqueue(decide(run(1, alice, "/gate"), h.allow(2, alice, ssh, time.Minute)))
		h.r.round(t.Context(), h.r.take())
		close(gate)
		later(0)
		h.r.Install(Guards{}, []engine.Element{{Source: alice, Port: ssh, Until: time.Now().Add(time.Minute)}})
		h.r.round(t.Context(), h.r.take())
		h.want(t, "1, 2", "0s apply 203.0.113.9 tcp/22 1m0s", "0s install 1", "0s persist +2")
	})
}

// Two decisions continue at the same moment, and the command of the later one ended
// first.
func TestDecisionsThatGoOnTogetherKeepTheirOrder(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newStoppedHost(Config{}) // whose worker is this test
		gates := map[string]chan struct{}{"/early": make(chan struct{}), "/late": make(chan struct{})}
		h.r.exec = func(_ context.Context, c Command, answer func(Output, error)) {
			<-gates[c.Argv[0]]
			answer(Output{}, nil)
		}
		early, late := run(1, alice, "/early"), run(3, alice, "/late")
		late[0].Door = "b"
		h.r.Enqueue(decide(early, h.allow(2, alice, ssh, time.Minute)))
		h.r.Enqueue(decide(late, h.allow(4, alice, ssh, time.Hour)))
		h.r.round(t.Context(), h.r.take())
		close(gates["/late"])
		later(0)
		close(gates["/early"])
		later(0)
		h.r.round(t.Context(), h.r.take())
		h.want(t, "3, 1, 2, 4", "0s apply 203.0.113.9 tcp/22 1m0s; 203.0.113.9 tcp/22 1h0m0s", "0s persist +2 +4")
	})
}

// TestWhatWasDecidedLastHolds queues random decisions, which alternate with each
// other and with closes, and lets the table vanish and come back. In the end each
// source and port has what was decided last for it, and the effects of a decision
// were answered in their order, except for optional ones, which nothing waits for.
func TestWhatWasDecidedLastHolds(t *testing.T) {
	checkInBubbles(t, func(t *rapid.T) {
		h := newStoppedHost(Config{Commands: rapid.IntRange(1, 4).Draw(t, "commands")})
		h.programOf = func(name string, _ int) program {
			return program{takes: time.Duration(len(name)%5) * 300 * time.Millisecond}
		}
		h.start()
		defer func() { _ = h.stop() }()
		d := decider{t: t, h: h, last: make(map[key]time.Time)}
		for range rapid.IntRange(1, 8).Draw(t, "calls") {
			switch rapid.IntRange(0, 7).Draw(t, "act") {
			case 0:
				h.r.Install(Guards{}, d.elements())
			case 1:
				h.change(func() {
					h.table = false
					clear(h.kernel)
				})
				d.enqueue()
				h.r.Install(Guards{}, d.elements())
			case 2, 3:
				later(time.Duration(rapid.IntRange(0, 12).Draw(t, "tenths")) * 100 * time.Millisecond)
			default:
				d.enqueue()
			}
		}
		later(time.Hour)
		d.check()
	})
}

// A decider decides at random, and knows what the kernel must hold in the end.
type decider struct {
	t        *rapid.T
	h        *host
	id       uint64
	last     map[key]time.Time
	awaited  []uint64
	decision map[uint64]uint64 // by effect
	optional map[uint64]bool   // effects that nothing waits for
}

// enqueue hands over the events of one call: up to three decisions and closes.
func (d *decider) enqueue() {
	if d.decision == nil {
		d.decision, d.optional = make(map[uint64]uint64), make(map[uint64]bool)
	}
	var events []engine.Event
	var open [3]uint64 // decisions that may continue
	for range rapid.IntRange(1, 8).Draw(d.t, "events") {
		source := []netip.Prefix{alice, bob}[rapid.IntRange(0, 1).Draw(d.t, "source")]
		port := []packet.Port{ssh, web}[rapid.IntRange(0, 1).Draw(d.t, "port")]
		d.id++
		of := &open[rapid.IntRange(0, 2).Draw(d.t, "decision")]
		var next []engine.Event
		switch rapid.IntRange(0, 4).Draw(d.t, "event") {
		case 0, 1:
			next = d.h.allow(d.id, source, port, 24*time.Hour+time.Duration(d.id)*time.Second)
			d.last[key{source: source, port: port}] = next[1].Until
		case 2, 3:
			next = run(d.id, source, "/run"+strings.Repeat("x", rapid.IntRange(0, 5).Draw(d.t, "takes")))
			next[0].Door = rapid.SampledFrom([]string{"a", "b", "c"}).Draw(d.t, "door")
			if next[0].Required = rapid.Bool().Draw(d.t, "required"); !next[0].Required {
				d.optional[d.id] = true
			}
		case 4:
			events = append(events, closed(d.id, source, port)...)
			delete(d.last, key{source: source, port: port})
			continue
		}
		if *of == 0 {
			*of = d.id
		}
		next[len(next)-1].Decision = *of
		d.decision[d.id] = *of
		d.awaited = append(d.awaited, d.id)
		events = append(events, next...)
	}
	d.h.r.Enqueue(events)
}

// elements returns what an engine would have.
func (d *decider) elements() []engine.Element {
	var all []engine.Element
	for k, until := range d.last {
		all = append(all, engine.Element{Source: k.source, Port: k.port, Until: until})
	}
	return all
}

func (d *decider) check() {
	if got := d.h.open(); !maps.EqualFunc(got, d.last, time.Time.Equal) {
		d.t.Errorf("elements: %v, want %v\n%s", got, d.last, strings.Join(d.h.happened, "\n"))
	}
	var answered []uint64
	before := make(map[uint64]uint64) // the last answer of each decision
	for _, result := range d.h.r.Results() {
		of := d.decision[result.ID]
		if result.Err != nil || result.ID < before[of] && !d.optional[result.ID] {
			d.t.Errorf("effect %d of decision %d: %v, answered behind %d", result.ID, of, result.Err, before[of])
		}
		if !d.optional[result.ID] {
			before[of] = result.ID
		}
		answered = append(answered, result.ID)
	}
	if slices.Sort(answered); !slices.Equal(answered, d.awaited) {
		d.t.Errorf("answered %v, awaited %v", answered, d.awaited)
	}
	d.h.wantNothingLeft(d.t)
}

// While the journal cannot be written, a grant is given, and then extended under a wider one,
// where the kernel has nothing to do. Its record must be written once the journal can be.
func TestAGrantWithoutAnElementIsRecorded(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newStoppedHost(Config{})
		h.diskFull = true
		w := newWorld(t, h)
		give := func(source netip.Prefix, ttl time.Duration) {
			w.enqueue(w.e.Grant(time.Now(), source, ssh, ttl))
		}
		narrow, wide := netip.MustParsePrefix("203.0.113.0/28"), netip.MustParsePrefix("203.0.113.0/24")
		give(narrow, time.Hour)
		give(wide, time.Minute)
		give(narrow, 2*time.Hour)
		h.start()
		defer h.cancel()
		w.serve()
		w.change(func() { w.diskFull = false })
		w.pass(time.Second)
		if n := len(w.e.Grants()); n != 2 {
			t.Fatalf("%d grants are live, want 2", n)
		}
		w.check()
	})
}
