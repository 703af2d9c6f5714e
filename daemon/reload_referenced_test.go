package daemon

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"sesame/daemon/capture"
	"sesame/daemon/config"
	"sesame/daemon/control"
	"sesame/daemon/effect"
	"sesame/daemon/engine"
	"sesame/daemon/knockdlog"
	"sesame/daemon/livetest"
	"sesame/daemon/logtest"
	"sesame/daemon/packet"
	"sesame/daemon/state"
	"sesame/scripting"
	"sesame/scripting/source"
	"sesame/simulate/suite"
)

// A noFirewall takes everything for done.
type noFirewall struct{}

func (noFirewall) Apply(changes []effect.Element) []error           { return nil }
func (noFirewall) Install(effect.Guards, []effect.Element) error    { return nil }
func (noFirewall) Elements() (standing []effect.Element, err error) { return nil, nil }
func (noFirewall) Whole() (bool, error)                             { return false, nil }

// A reloading is a loop with a script set, and who brings others in.
type reloading struct {
	*testing.T
	dir, out string // of the scripts, and another
	l        *loop
	r        *reloader
	log      *logtest.Buffer
	sent     int
	opened   []string
}

// newReloading loads a script, in which OUT is a directory outside.
func newReloading(t *testing.T, script string, files map[string]string) *reloading {
	t.Helper()
	w := &reloading{T: t, dir: t.TempDir(), out: t.TempDir(), log: &logtest.Buffer{}}
	for name, text := range files {
		writeFile(t, filepath.Join(w.out, name), text)
	}
	w.script(script)
	var opened *capture.Source
	must(t, livetest.New(t).Server.Do(func() (err error) {
		opened, err = capture.Open(capture.Config{Links: capture.NewLinks(nil, nil)})
		return err
	}))
	c, log := newClock(), hclog.New(&hclog.LoggerOptions{Output: w.log, Level: hclog.Debug})
	knockd, err := knockdlog.Open(config.Log{}, "", nil, log)
	must(t, err)
	load := func(files *source.Files, values map[string]string) (*scripting.Set, error) {
		return scripting.Load(files, scripting.Options{Values: values})
	}
	w.l = &loop{
		clock: c, engine: engine.New(engine.Config{}, c.now()), source: opened, decoder: packet.NewDecoder(), log: log, upkeep: time.Minute,
		runner: effect.New(effect.Config{Now: c.now, Firewall: noFirewall{}, Persist: func([]engine.Record) error { return nil }}),
		report: newReporter(control.NewTail(), knockd, nil, log),
		alive:  func() {}, stepped: func() {}, answered: func(uint64, error) {}, calls: make(chan func()), ended: make(chan struct{}),
	}
	w.r = &reloader{
		confinement: func() *confinement { return nil }, refusal: func(*scripting.Set) error { return nil },
		read: (&daemon{config: Config{Config: config.Config{Scripts: w.dir}}}).readAt,
		path: w.dir, load: load, vet: func(*source.Files, *scripting.Set) error { return nil }, loop: w.l, log: log, generation: 1,
		gate:    &gate{budget: time.Minute, run: suite.Run, log: log, open: func(context.Context, string) (*os.File, error) { return nil, os.ErrPermission }, options: func(values map[string]string) scripting.Options { return scripting.Options{Values: values} }},
		running: 1, referenced: make(chan []string, 1),
		hints: make(chan struct{}, 1),
		save:  func(inForce, *state.Held) error { return nil }, noteSaved: func(error) {}, applied: func(*scripting.Set, int) {}, tellHelper: func(*source.Files, bool) {}, prepareFacts: func(context.Context, ...*scripting.Set) {}, requestRepair: func() {},
	}
	first, err := source.Read(w.dir)
	must(t, err)
	set, err := load(first, nil)
	must(t, err)
	w.r.seen = first
	w.l.setRunning(set, first, nil)
	w.l.dispatch(w.l.engine.Swap(c.now(), set.Engine))
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan error, 1)
	go func() { ended <- w.l.runner.Run(ctx) }()
	go w.l.run(ctx, 0)
	t.Cleanup(func() {
		cancel()
		<-w.l.ended
		must(t, <-ended)
		w.l.set.Close()
	})
	return w
}

func (w *reloading) script(text string) {
	w.Helper()
	writeFile(w, w.dir+"/a.lua", strings.ReplaceAll(text, "OUT", w.out))
}

// knock sends a knock to each TCP port, and notes which doors opened.
func (w *reloading) knock(ports ...uint16) {
	w.Helper()
	w.l.do(w.Context(), func() {
		for _, port := range ports {
			w.sent++
			events := w.l.engine.Packet(&packet.Packet{
				Time: w.l.clock.now(), Number: w.sent, Source: netip.MustParseAddr("203.0.113.9"), Dest: netip.MustParseAddr("198.51.100.1"),
				SourcePort: uint16(20000 + w.sent), Port: packet.Port{Proto: packet.TCP, Number: port}, Flags: packet.SYN, Sequence: uint32(w.sent),
			})
			for i := range events {
				if events[i].Kind == engine.EventOpen {
					w.opened = append(w.opened, events[i].Door)
				}
			}
			w.l.dispatch(events)
		}
	})
}

// wantOpened compares what opened since the last time.
func (w *reloading) wantOpened(doors ...string) {
	w.Helper()
	if !slices.Equal(w.opened, doors) {
		w.Errorf("%q opened, want %q", w.opened, doors)
	}
	w.opened = nil
}

// until waits for something that others do.
func (w *reloading) until(what string, holds func() bool) {
	w.Helper()
	for began := w.l.clock.now(); !holds(); runtime.Gosched() {
		if w.l.clock.now().Sub(began) > patience {
			w.Fatalf("still not: %s; the log: %s", what, w.log)
		}
	}
}

// marked waits until a file has this text, and the engine knows why.
func (w *reloading) marked(name, text string, spends int) {
	w.Helper()
	w.until(name+" is marked", func() bool {
		content, _ := os.ReadFile(filepath.Join(w.out, name))
		count := 0
		w.l.do(w.Context(), func() { count = w.l.engine.OneTimeChanges() })
		return string(content) == text && count == spends
	})
}

func (w *reloading) hint() outcome { return w.r.reload(w.Context(), wish{}, true) }

func (w *reloading) wantOutcome(o outcome, kind control.ReloadOutcome, generation int, texts ...string) {
	w.Helper()
	if o.kind != kind || o.generation != generation {
		w.Errorf("%s, generation %d (%s), want %s, generation %d", o.kind, o.generation, o.text, kind, generation)
	}
	for _, text := range texts {
		if text = strings.ReplaceAll(text, "OUT", w.out); !strings.Contains(o.text, text) {
			w.Errorf("it says %q, want %q", o.text, text)
		}
	}
}

func TestRealReloadOfAKnockdConf(t *testing.T) {
	w := newReloading(t, `sesame.knockd "OUT/knockd.conf"`, map[string]string{"knockd.conf": "[a]\nsequence = 1,2\n"})
	conf := w.out + "/knockd.conf"
	w.wantOutcome(w.hint(), control.Unchanged, 1)
	w.knock(1, 2)
	w.wantOpened("a")

	t.Log("# edited")
	writeFile(t, conf, "[a]\nsequence = 3,4\n")
	w.wantOutcome(w.hint(), control.Applied, 2)
	w.knock(1, 2, 3, 4)
	w.wantOpened("a")
	w.wantOutcome(w.hint(), control.Unchanged, 2)

	t.Log("# broken, which is told once")
	writeFile(t, conf, "[a]\nsequence = 3,4\n[b]\nsequences = 5,6\n")
	w.wantOutcome(w.hint(), control.Rejected, 2, "OUT/knockd.conf:4: ", `"sequences"`, "a.lua:1:1: sesame.knockd: OUT/knockd.conf cannot be used: see its line 4")
	w.wantOutcome(w.hint(), control.Unchanged, 2)
	w.knock(3, 4)
	w.wantOpened("a")

	t.Log("# gone")
	must(t, os.Remove(conf))
	w.wantOutcome(w.hint(), control.Rejected, 2, "reading OUT/knockd.conf: no such file or directory")

	t.Log("# as it was: that runs")
	writeFile(t, conf, "[a]\nsequence = 3,4\n")
	w.wantOutcome(w.hint(), control.Unchanged, 2)

	t.Log("# a script that is wrong because of a file that no script named before")
	w.script("sesame.knockd \"OUT/knockd.conf\"\nsesame.door \"b\" { one_time_sequences = \"OUT/once\" }")
	w.wantOutcome(w.hint(), control.Rejected, 2, "a.lua:2:40: one_time_sequences: reading OUT/once: no such file or directory")
	if got, want := <-w.r.referenced, []string{conf, w.out + "/once"}; !slices.Equal(got, want) {
		t.Errorf("watched are %q, want %q", got, want)
	}
	writeFile(t, w.out+"/once", "5,6\n")
	w.wantOutcome(w.hint(), control.Applied, 3)
	w.knock(5, 6)
	w.wantOpened("b")
}

const onceScript = `
sesame.door "once" { one_time_sequences = "OUT/once", guards = 22 }
sesame.door "long" { sequence = { 11, 12, 13 }, guards = 22 }`

func TestRealMarksAreReadQuietly(t *testing.T) {
	w := newReloading(t, onceScript, map[string]string{"once": "1,2\n3,4\n5,6\n"})
	w.knock(11, 12)
	w.knock(1, 2)
	w.marked("once", "#,2\n3,4\n5,6\n", 2)
	running := w.l.set
	w.wantOutcome(w.hint(), control.Unchanged, 1)
	if w.l.set == running || string(w.l.set.Files[1].Source) != "#,2\n3,4\n5,6\n" {
		t.Error("what runs still has the sequence")
	}
	if log := w.log.String(); strings.Contains(log, "scripts applied") || strings.Contains(log, "[WARN]") {
		t.Errorf("the log: %s", log)
	}
	if w.r.last.kind != "" {
		t.Errorf("the status tells of %v", w.r.last)
	}
	t.Log("# an attempt in another door goes on, and a used sequence does not come back")
	w.knock(13, 1, 2, 3, 4, 3, 4)
	w.wantOpened("once", "long", "once")

	t.Log("# scripts that are wrong meanwhile are told once, whatever is marked")
	w.marked("once", "#,2\n#,4\n5,6\n", 4)
	w.script("broken(")
	w.wantOutcome(w.hint(), control.Rejected, 1)
	w.knock(5, 6, 1, 2)
	w.wantOpened("once")
	w.marked("once", "#,2\n#,4\n#,6\n", 6)
	w.wantOutcome(w.hint(), control.Unchanged, 1)
	w.script(onceScript)
	w.wantOutcome(w.hint(), control.Unchanged, 1)
	w.knock(1, 2, 3, 4, 5, 6, 11, 12, 13)
	w.wantOpened("long")

	t.Log("# a person writes new ones")
	writeFile(t, w.out+"/once", "#,2\n#,4\n#,6\n7,8\n")
	w.wantOutcome(w.hint(), control.Applied, 2)
	w.knock(7, 8)
	w.wantOpened("once")
}

// TestRealPutBack puts files back as they were after others were rejected or held,
// and then brings the others again.
func TestRealPutBack(t *testing.T) {
	const good = "[a]\nsequence = 1,2\n"
	for _, tt := range []struct {
		name, conf, script string
		kind               control.ReloadOutcome
	}{
		{"a file outside", good + "[b]\nsequences = 5,6\n", "", control.Rejected},
		{"a script", good, "broken(", control.Rejected},
		{"a guard less", good, `sesame.knockd "OUT/knockd.conf"`, control.Held},
	} {
		t.Run(tt.name, func(t *testing.T) {
			const script = `sesame.knockd "OUT/knockd.conf" sesame.door "once" { one_time_sequences = "OUT/once", guards = 22 }`
			w := newReloading(t, script, map[string]string{"knockd.conf": good, "once": "3,4\n5,6\n"})
			change := func() {
				writeFile(t, w.out+"/knockd.conf", tt.conf)
				if w.script(script); tt.script != "" {
					w.script(tt.script)
				}
			}
			back := func() {
				writeFile(t, w.out+"/knockd.conf", good)
				w.script(script)
			}
			for i := range 2 {
				change()
				w.wantOutcome(w.hint(), tt.kind, 1)
				if w.r.last.kind != tt.kind {
					t.Errorf("the status tells of %v", w.r.last)
				}
				back()
				w.wantOutcome(w.hint(), control.Unchanged, 1)
				if w.r.last.kind != control.Unchanged || w.r.last.generation != 1 || w.r.last.at.IsZero() {
					t.Errorf("put back: the status tells of %+v", w.r.last)
				}
				if n := strings.Count(w.log.String(), "the scripts are again those that run"); n != i+1 {
					t.Errorf("put back is told %d times, want %d", n, i+1)
				}
			}
			w.wantOutcome(w.hint(), control.Unchanged, 1)

			t.Log("# a sequence is used meanwhile, so that they come back with its mark")
			change()
			w.wantOutcome(w.hint(), tt.kind, 1)
			w.knock(3, 4)
			w.marked("once", "#,4\n5,6\n", 2)
			back()
			w.wantOutcome(w.hint(), control.Unchanged, 1)
			if w.r.last.kind != control.Unchanged || strings.Count(w.log.String(), "the scripts are again those that run") != 3 {
				t.Errorf("the status tells of %v; the log: %s", w.r.last, w.log)
			}
		})
	}
}

// TestRealNoSequenceComesBack uses a sequence at each moment of a reload: between
// the reading of the files and the exchange of the doors.
func TestRealNoSequenceComesBack(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(w *reloading)
		want   control.ReloadOutcome
	}{
		{"while other scripts are loaded", func(w *reloading) { w.script(onceScript + "\n-- another text") }, control.Applied},
		{"while a mark is read", func(w *reloading) {
			w.knock(1, 2)
			w.marked("once", "#,2\n3,4\n5,6\n7,8\n", 2)
		}, control.Unchanged},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newReloading(t, onceScript, map[string]string{"once": "1,2\n3,4\n5,6\n7,8\n"})
			tt.change(w)
			load, loads := w.r.load, 0
			w.r.load = func(files *source.Files, values map[string]string) (*scripting.Set, error) {
				if loads++; loads <= 2 { // the files were read, and the sequence is in them
					w.knock(1, 2, 3, 4, 5, 6)
					w.until("all marks are done", func() (done bool) {
						w.l.do(w.Context(), func() { done = w.l.engine.OneTimeChanges()%2 == 0 && w.l.engine.Unanswered() == 0 })
						return done
					})
				}
				return load(files, values)
			}
			o := w.hint()
			if o.kind != tt.want || loads != 2 {
				t.Errorf("%s after %d loads", o.kind, loads)
			}
			w.opened = nil
			w.knock(1, 2, 3, 4, 5, 6)
			w.wantOpened()
			w.knock(7, 8, 7, 8)
			w.wantOpened("once")
		})
	}
}

// A kept set runs without its scripts, but never with its copy of one-time
// sequences.
func TestTheLastGoodSetReadsSequencesFromTheDisk(t *testing.T) {
	dir, out, log := t.TempDir(), t.TempDir(), &logtest.Buffer{}
	store, err := state.Open(filepath.Join(t.TempDir(), "state"))
	must(t, err)
	defer func() { must(t, store.Close()) }()
	c := newClock()
	d := &daemon{state: newStateDir("", store, nil), loop: &loop{clock: c}, config: Config{Log: hclog.New(&hclog.LoggerOptions{Output: log})}}
	d.config.Scripts, d.config.Firewall.Mode = dir, "guard"
	writeFile(t, dir+"/a.lua", fmt.Sprintf("sesame.knockd \"knockd.conf\"\nsesame.door \"b\" { one_time_sequences = %q, guards = 22 }", out+"/b"))
	writeFile(t, dir+"/knockd.conf", fmt.Sprintf("[a]\none_time_sequences = %s/a\n", out))
	writeFile(t, out+"/a", "1,2\n3,4\n")
	writeFile(t, out+"/b", "5,6\n7,8\n")
	first, err := d.chooseScripts(t.Context(), stateFound{})
	must(t, err)
	must(t, d.saveSet(inForce{set: first.set, files: first.files}, nil))
	first.set.Close()

	writeFile(t, out+"/a", "#,2\n3,4\n")
	must(t, os.Remove(out+"/b"), os.Remove(dir+"/knockd.conf"))
	var found stateFound
	found.saved, found.hasSaved, found.savedErr = store.LastGood()
	b, err := d.chooseScripts(t.Context(), found)
	must(t, err)
	defer b.set.Close()
	if b.outcome.kind != control.Rejected || !strings.Contains(b.outcome.text, dir+"/knockd.conf") {
		t.Errorf("the outcome is %+v", b.outcome)
	}
	var left []string
	for _, door := range b.set.Engine.Doors {
		for _, s := range door.OneTime.Sequences {
			left = append(left, door.Name+" "+s.Line)
		}
	}
	if !slices.Equal(left, []string{"a 3,4"}) {
		t.Errorf("left are %q", left)
	}
	if text := log.String(); !strings.Contains(text, "one-time sequences cannot be read") || !strings.Contains(text, out+"/b") {
		t.Errorf("the log: %s", text)
	}
	saved, _, err := store.LastGood()
	must(t, err)
	for _, f := range saved.Files {
		if strings.HasPrefix(string(f.Path), out) {
			t.Errorf("%s is kept", f.Path)
		}
	}
	if _, err := os.Stat(out + "/b"); !errors.Is(err, os.ErrNotExist) {
		t.Error("the file is there again")
	}
}
