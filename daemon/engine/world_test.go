package engine

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"sesame/daemon/packet"
)

// A world is an engine with a clock and hosts that knock. Its tests read as stories: who does
// what, how much later, and which events follow.
type world struct {
	t    *testing.T
	e    *Engine
	now  time.Time
	sent int
	got  []Event
}

var monday = time.Date(2026, 3, 2, 10, 0, 0, 0, time.UTC)

func newWorld(t *testing.T, doors ...*Door) *world {
	w := &world{t: t, now: monday, e: New(Config{}, monday)}
	w.record(w.e.Swap(w.now, &Set{Doors: doors}))
	return w
}

func (w *world) record(events []Event) { w.got = append(w.got, slices.Clone(events)...) }

// advance moves the clock of the world, not that of the engine.
func (w *world) advance(d time.Duration) { w.now = w.now.Add(d) }

// tick moves both clocks.
func (w *world) tick(d time.Duration) {
	w.advance(d)
	w.record(w.e.Tick(w.now))
}

// knock sends one packet to each port, of a new connection each.
func (w *world) knock(source string, ports ...string) {
	for _, port := range ports {
		p := w.packet(source, port)
		w.record(w.e.Packet(&p))
	}
}

func (w *world) packet(source, port string) packet.Packet {
	w.t.Helper()
	to, err := packet.ParsePort(port)
	if err != nil {
		w.t.Fatal(err)
	}
	w.sent++
	return packet.Packet{
		Time: w.now, Number: w.sent, Source: netip.MustParseAddr(source), Dest: netip.MustParseAddr("198.51.100.1"),
		SourcePort: uint16(20000 + w.sent), Port: to, Flags: packet.SYN, Sequence: uint32(w.sent),
	}
}

// want compares what came out since the last want, one line an event.
func (w *world) want(lines ...string) {
	w.t.Helper()
	got := []string{}
	for _, event := range w.got {
		if event.Effect != EffectPersist {
			got = append(got, brief(event))
		}
	}
	w.got = nil
	if diff := gocmp.Diff(append([]string{}, lines...), got); diff != "" {
		w.t.Errorf("events (-want +got):\n%s", diff)
	}
}

// brief writes an event in one line: the time since ten o'clock, what, who.
func brief(e Event) string {
	parts := []string{fmt.Sprint(e.Time.Sub(monday)), e.Kind.Name(), e.Door, e.Source.Addr().String()}
	if e.Source.IsValid() && !e.Source.IsSingleIP() {
		parts[3] = e.Source.String()
	}
	if e.Stages > 0 {
		parts = append(parts, fmt.Sprintf("%d/%d", e.Stage, e.Stages))
	}
	if e.Effect != 0 {
		parts = append(parts, cmp.Or(map[Effect]string{EffectElement: "element", EffectConsume: "consume", EffectCommentOut: "comment out"}[e.Effect], e.Effect.Name()))
	}
	if e.Grant != 0 {
		parts = append(parts, fmt.Sprintf("#%d", e.Grant))
	}
	if e.Port.Number != 0 {
		parts = append(parts, e.Port.String())
	}
	if e.TTL != 0 {
		parts = append(parts, e.TTL.String())
	}
	if e.Argv != nil {
		parts = append(parts, strings.Join(e.Argv, " "))
	}
	switch {
	case e.Kind == EventEffect && e.Effect == EffectAllow && e.Until.IsZero():
		parts = append(parts, "covered")
	case e.Effect == EffectElement && e.Until.IsZero():
		parts = append(parts, "gone")
	case e.Effect == EffectElement:
		parts = append(parts, "until "+fmt.Sprint(e.Until.Sub(monday)))
	}
	if e.Text != "" {
		parts = append(parts, e.Text)
	}
	if e.Reason != "" {
		parts = append(parts, string(e.Reason))
	}
	if e.Cut && e.Effect != EffectCut {
		parts = append(parts, "cut")
	}
	if e.Detail != "" {
		parts = append(parts, "("+e.Detail+")")
	}
	return strings.Join(parts, " ")
}

func ports(t testing.TB, names ...string) []packet.Port {
	all := []packet.Port{}
	for _, name := range names {
		p, err := packet.ParsePort(name)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
	return all
}

// aDoor returns a door with defaults: ten seconds, thirty seconds.
func aDoor(t testing.TB, name string, sequence ...string) *Door {
	d := &Door{Name: name, Script: name + ".lua", Line: 1, Within: 10 * time.Second, TTL: 30 * time.Second}
	for _, p := range ports(t, sequence...) {
		d.Sequence = append(d.Sequence, Knock{Port: p, Flags: SYN})
	}
	return d
}

// guarding lets the door guard ports.
func guarding(t testing.TB, d *Door, names ...string) *Door {
	d.Guards = ports(t, names...)
	return d
}

// handlerFunc is a handler made of a Go function.
type handlerFunc func(*Call) (Decision, error)

func (f handlerFunc) Handle(m *Call) (Decision, error) { return f(m) }

// scripted gives the door a handler for the moments of hooks.
func scripted(d *Door, hooks Hooks, f handlerFunc) *Door {
	d.Hooks, d.Handler = hooks, f
	return d
}

// always answers with the same operations.
func always(operations ...Operation) handlerFunc {
	return func(*Call) (Decision, error) { return Decision{Operations: operations}, nil }
}
