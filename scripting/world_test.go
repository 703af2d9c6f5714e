package scripting_test

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sesame/daemon/engine"
	"sesame/daemon/packet"
	"sesame/scripting"
	"sesame/scripting/source/sourcetest"
)

// A world is a script set in an engine, with a clock and hosts that knock.
type world struct {
	t    testing.TB
	e    *engine.Engine
	set  *scripting.Set
	now  time.Time
	sent int
	got  []engine.Event
}

// monday is in the morning, in Madrid too.
var monday = time.Date(2026, 3, 2, 10, 0, 0, 0, time.UTC)

// theScript loads one script, called ssh.lua.
func theScript(t *testing.T, text string) *world {
	t.Helper()
	return theScripts(t, map[string]string{"ssh.lua": text}, scripting.Options{})
}

func theScripts(t *testing.T, files map[string]string, options scripting.Options) *world {
	t.Helper()
	set, err := scripting.Load(sourcetest.Files(files), options)
	if err != nil {
		t.Fatal(err)
	}
	return newWorld(t, set)
}

func newWorld(t testing.TB, set *scripting.Set) *world {
	t.Cleanup(set.Close)
	w := &world{t: t, set: set, now: monday, e: engine.New(engine.Config{}, monday)}
	w.see(w.e.Swap(w.now, set.Engine))
	return w
}

func (w *world) see(events []engine.Event) { w.got = append(w.got, slices.Clone(events)...) }

// later lets time pass.
func (w *world) later(d time.Duration) {
	w.now = w.now.Add(d)
	w.see(w.e.Tick(w.now))
}

// knock sends one packet to each port, of a new connection each.
func (w *world) knock(source string, ports ...string) {
	w.t.Helper()
	for _, port := range ports {
		w.send(source, port, "")
	}
}

func (w *world) send(source, port, payload string) {
	w.t.Helper()
	to, err := packet.ParsePort(port)
	if err != nil {
		w.t.Fatal(err)
	}
	w.sent++
	w.see(w.e.Packet(&packet.Packet{
		Time: w.now, Number: w.sent, Source: netip.MustParseAddr(source), Dest: netip.MustParseAddr("198.51.100.1"),
		SourcePort: uint16(20000 + w.sent), Port: to, Flags: packet.SYN, Sequence: uint32(w.sent), Payload: []byte(payload),
	}))
}

// want compares what came out since the last want, without stages.
func (w *world) want(lines ...string) {
	w.t.Helper()
	got := []string{}
	for _, event := range w.got {
		if event.Effect != engine.EffectPersist && event.Effect != engine.EffectElement && event.Kind != engine.EventStage {
			got = append(got, brief(event))
		}
	}
	w.got = nil
	if diff := cmp.Diff(append([]string{}, lines...), got); diff != "" {
		w.t.Errorf("events (-want +got):\n%s", diff)
	}
}

// brief writes an event in one line, as far as these tests care.
func brief(e engine.Event) string {
	switch e.Kind {
	case engine.EventOpen:
		return fmt.Sprintf("open %s %s", e.Door, e.Source.Addr())
	case engine.EventClose:
		cut := ""
		if e.Cut {
			cut = " cut"
		}
		return fmt.Sprintf("close %s %s %s%s", e.Door, e.Port, e.Reason, cut)
	case engine.EventMiss:
		return fmt.Sprintf("miss %s %d/%d %s", e.Door, e.Stage, e.Stages, e.Reason)
	case engine.EventRefuse:
		return strings.TrimSpace(fmt.Sprintf("refuse %s %s %s", e.Door, e.Reason, e.Detail))
	case engine.EventError:
		return fmt.Sprintf("error %s:%d: %s", e.Script, e.Line, e.Detail)
	case engine.EventEffect:
		switch e.Effect {
		case engine.EffectAllow:
			return fmt.Sprintf("allow %s %s %s", e.Source, e.Port, e.TTL)
		case engine.EffectExec:
			return fmt.Sprintf("exec %q", e.Argv)
		case engine.EffectUndo:
			return fmt.Sprintf("undo %q", e.Argv)
		case engine.EffectLog:
			return "log " + e.Detail
		case engine.EffectPersist, engine.EffectElement, engine.EffectConsume, engine.EffectCommentOut, engine.EffectCut:
		}
	case engine.EventStage, engine.EventFailed:
	}
	return fmt.Sprintf("%+v", e)
}

// twoScripts loads a.lua and b.lua, which differ in NAME.
func twoScripts(t *testing.T, text string) *world {
	t.Helper()
	files := map[string]string{}
	for _, name := range []string{"a", "b"} {
		files[name+".lua"] = strings.ReplaceAll(text, "NAME", name)
	}
	return theScripts(t, files, scripting.Options{})
}
