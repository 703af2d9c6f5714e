package daemon

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hashicorp/go-hclog"

	"sesame/daemon/config"
	"sesame/daemon/control"
	"sesame/daemon/engine"
	"sesame/daemon/logtest"
	"sesame/daemon/privileged"
	"sesame/daemon/state"
	"sesame/daemon/wire"
)

// A tripwire is a log that calls a function at the first line with a text.
type tripwire struct {
	logtest.Buffer
	text string
	trip func()
}

func (w *tripwire) Write(line []byte) (int, error) {
	if w.text != "" && bytes.Contains(line, []byte(w.text)) {
		w.trip()
	}
	return w.Buffer.Write(line)
}

// A stop while a start reads the scripts says nothing about them: what was not read is not wrong.
func TestAStopWhileScriptsAreChosen(t *testing.T) {
	for _, test := range []struct {
		name  string
		at    string // the line of the log at which the daemon is told to end; "": none
		early bool   // it is told before
		stops bool
	}{
		{name: "nobody wants the end"},
		{name: "before", early: true, stops: true},
		{name: "while the scripts that were applied last load", at: "the last good scripts load", stops: true},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newHelperWorld(t)
			ctx, stop := context.WithCancel(t.Context())
			defer stop()
			log := &tripwire{text: test.at, trip: stop}
			w.d.config.Log = hclog.New(&hclog.LoggerOptions{Output: log})
			w.d.config.AllowWritable = true
			text, err := os.ReadFile(w.path("scripts/a.lua"))
			must(t, err)
			text = append([]byte("print 'the last good scripts load'\n"), text...)
			found := stateFound{hasSaved: true, saved: state.Saved{Files: []wire.File{{Path: "a.lua", Source: text}}}}
			if test.early {
				stop()
			}
			first, err := w.d.chooseScripts(ctx, found)
			if test.stops != errors.Is(err, errStopping) {
				t.Fatalf("%v, and %s", err, first.outcome.text)
			}
			if text := log.String(); strings.Contains(text, "WARN") || strings.Contains(text, "ERROR") {
				t.Errorf("it says:\n%s", text)
			}
			if test.stops {
				return
			}
			if first.outcome.kind != control.Applied {
				t.Errorf("the scripts are %s: %s", first.outcome.kind, first.outcome.text)
			}
			first.set.Close()
		})
	}
}

// Undo commands that were to run at this start stay pending when it is stopped, and that is told,
// unless another daemon follows at once.
func TestAStopInTheStartLeavesUndos(t *testing.T) {
	grant := &engine.Grant{ID: 4, Argv: []string{"/mount"}, Undo: []string{"/umount"}}
	found := stateFound{recovered: state.Recovered{Records: []engine.Record{{Grant: grant}, {Grant: &engine.Grant{ID: 3}}, {Grant: &engine.Grant{ID: 5, Undo: grant.Undo}, Ended: true}}}}
	for cause, want := range map[error]string{
		nil:        "[WARN]  undo commands stay pending until the next start, or until: sesame helper --settle: commands=1\n",
		ErrRestart: "",
	} {
		w := newHelperWorld(t)
		log := &logtest.Buffer{}
		w.d.config.Log = hclog.New(&hclog.LoggerOptions{Output: log, DisableTime: true})
		ctx, stop := context.WithCancelCause(t.Context())
		stop(cause)
		if _, err := w.d.chooseScripts(ctx, found); !errors.Is(err, errStopping) || log.String() != want {
			t.Errorf("%v: %v, and it says %q, want %q", cause, err, log, want)
		}
	}
}

// Ctrl-C ends a helper that has just been started, with the daemon. That is no fault of the helper.
func TestAStopWhileTheHelperStarts(t *testing.T) {
	for _, need := range []string{"", "scripts have commands"} {
		for _, stops := range []bool{false, true} {
			log := &logtest.Buffer{}
			d := &daemon{config: Config{Log: hclog.New(&hclog.LoggerOptions{Output: log})}, clock: newClock()}
			ours, theirs, err := privileged.Pair()
			must(t, err, theirs.Close())
			d.config.Helper = ours
			ctx, stop := context.WithCancel(t.Context())
			if stops {
				stop()
			}
			if d.openHelper(ctx, need) {
				d.helper.close()
			}
			d.unused.Wait()
			stop()
			if said := log.String() != ""; said == stops {
				t.Errorf("need %q, stops %t: it says %q", need, stops, log)
			}
		}
	}
}

// TestRealStopBeforeTheStart tells a daemon to end before it begins: it makes no socket, and says
// that it stops.
func TestRealStopBeforeTheStart(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("a daemon needs privileges")
	}
	dir := t.TempDir()
	must(t, os.Mkdir(filepath.Join(dir, "scripts"), 0o755))
	writeFile(t, filepath.Join(dir, "scripts/a.lua"), `sesame.door "d" { sequence = { "tcp/7421", "udp/9133", "tcp/2904" }, guards = "tcp/22" }`)
	settings := config.Default()
	settings.Scripts, settings.State, settings.Socket = filepath.Join(dir, "scripts"), filepath.Join(dir, "state"), filepath.Join(dir, "socket")
	log := &logtest.Buffer{}
	ctx, stop := context.WithCancel(t.Context())
	stop()
	must(t, Run(ctx, Config{Config: settings, Log: hclog.New(&hclog.LoggerOptions{Output: log, DisableTime: true})}))
	if log.String() != "[INFO]  stopping before the start is over\n" {
		t.Errorf("it says:\n%s", log)
	}
	if _, err := os.Stat(settings.Socket); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the socket: %v", err)
	}
}
