package daemon

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/go-hclog"

	"sesame/daemon/config"
	"sesame/daemon/effect"
	"sesame/daemon/engine"
	"sesame/daemon/logtest"
	"sesame/daemon/privileged"
	"sesame/daemon/state"
	"sesame/scripting"
	"sesame/scripting/source"
)

// A helperWorld has a helper in this process, and the link of a daemon to it.
type helperWorld struct {
	*testing.T
	dir     string
	program string // notes how it is run
	link    *helper
	log     *logtest.Buffer
	d       *daemon
	end     func() // ends the helper; nil: it does not run
	settled chan [][]string
	known   [][]string // undos that the daemon knows of
	forgot  []engine.Record
	fails   int // how often settling fails
	closed  bool
}

func newHelperWorld(t *testing.T) *helperWorld {
	w := &helperWorld{T: t, dir: t.TempDir(), log: &logtest.Buffer{}, settled: make(chan [][]string, 10)}
	w.program = filepath.Join(w.dir, "program")
	must(t, os.Chmod(w.dir, 0o755), os.Mkdir(w.path("scripts"), 0o755), os.WriteFile(w.program, []byte("#!/bin/sh\necho \"$@\" >> "+w.path("ran")+"\n"), 0o755))
	writeFile(t, w.path("once"), "1001,1002\n")
	writeFile(t, w.path("scripts/a.lua"), fmt.Sprintf(`sesame.command { %[1]q, "do", undo = { %[1]q, "undo" } }
sesame.door "a" { one_time_sequences = %[2]q }`, w.program, w.path("once")))
	w.d = &daemon{config: Config{Config: config.Config{Scripts: w.path("scripts")}, Log: hclog.New(&hclog.LoggerOptions{Output: w.log})}}
	w.start()
	dial := func() (*privileged.Client, error) { return privileged.Dial(w.path("socket")) }
	client, err := dial()
	must(t, err)
	w.d.clock = newClock()
	w.d.useHelper(t.Context(), dial, client, nil)
	w.link = w.d.helper
	w.link.patience = patience
	w.link.mu.Lock()
	w.link.settle = w.settle
	w.link.forget = func(records []engine.Record) { w.forgot = append(w.forgot, records...) }
	w.link.mu.Unlock()
	t.Cleanup(func() {
		if !w.closed {
			w.link.close()
		}
		w.kill()
	})
	_, err = w.d.readAgain(t.Context(), nil, nil)
	must(t, err)
	return w
}

func (w *helperWorld) path(name string) string { return filepath.Join(w.dir, name) }

func (w *helperWorld) settle(_ context.Context, client *privileged.Client) error {
	if w.fails > 0 {
		w.fails--
		return errors.New("not now")
	}
	w.settled <- w.known
	return client.Settle(w.known)
}

// start starts a helper.
func (w *helperWorld) start() {
	server, err := privileged.New(privileged.Config{
		Settings: func() (privileged.Settings, error) {
			return privileged.Settings{Scripts: w.path("scripts"), AllowWritable: true}, nil
		},
		Dir: w.path("helper"), Loader: []string{"/proc/self/exe", asLoader}, Log: hclog.New(&hclog.LoggerOptions{Output: w.log}),
	})
	must(w, err)
	socket, err := privileged.Listen(w.path("socket"), os.Geteuid())
	must(w, err)
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- server.ServeAt(ctx, socket, 0) }()
	w.end = func() {
		stop()
		must(w, <-ended, server.Close())
	}
}

// kill ends the helper, and waits until the daemon knows.
func (w *helperWorld) kill() {
	if w.end == nil {
		return
	}
	w.end()
	w.end = nil
}

// lost waits until the daemon has no connection.
func (w *helperWorld) lost() {
	w.Helper()
	for deadline := time.Now().Add(patience); w.d.helperStatus(0).Gone == ""; {
		if time.Now().After(deadline) {
			w.Fatal("the connection is there")
		}
		<-time.After(time.Millisecond)
	}
}

// run runs the command, or its undo, to the end.
func (w *helperWorld) run(undo bool) (result error) {
	c := effect.Command{Argv: []string{w.program, "do"}, Door: "a", Source: netip.MustParsePrefix("203.0.113.9/32"), Grant: 7}
	c.Invocation = &engine.Invocation{Argv: c.Argv, Undo: []string{w.program, "undo"}}
	if undo {
		c.Argv, c.Undo = c.Invocation.Undo, true
	}
	w.link.Run(w.Context(), c, func(_ effect.Output, err error) { result = err })
	return result
}

func (w *helperWorld) ran(want string) {
	w.Helper()
	text, err := os.ReadFile(w.path("ran"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		w.Fatal(err)
	}
	if got := strings.ReplaceAll(string(text), "\n", " "); got != want {
		w.Errorf("ran %q, want %q", got, want)
	}
}

// TestAHelperThatIsStartedAgain loses the helper: a command is refused at once, and an undo and the
// end of a one-time sequence wait for the next.
func TestAHelperThatIsStartedAgain(t *testing.T) {
	w := newHelperWorld(t)
	must(t, w.run(false))
	<-w.link.hints // the watcher gives a first one
	w.kill()
	w.lost()
	if err := w.run(false); !errors.Is(err, privileged.ErrGone) || err.Error() != "running "+w.program+": the helper that runs commands does not answer" {
		t.Errorf("a command: %v", err)
	}
	if _, err := w.d.readAgain(t.Context(), nil, nil); !errors.Is(err, privileged.ErrGone) {
		t.Errorf("reading: %v", err)
	}
	w.known, w.fails = [][]string{{w.program, "undo"}}, 1
	undone, commented := make(chan error, 1), make(chan error, 1)
	go func() { undone <- w.run(true) }()
	go func() { commented <- w.link.CommentOut(w.path("once"), "1001,1002") }()
	w.start()
	if diff := cmp.Diff(w.known, <-w.settled); diff != "" {
		t.Errorf("settled (-want +got):\n%s", diff)
	}
	must(t, <-undone)
	if err := <-commented; err == nil { // this helper has not read the scripts yet
		t.Log("the helper knows the set from before")
	}
	<-w.link.hints
	_, err := w.d.readAgain(t.Context(), nil, nil)
	must(t, err, w.link.CommentOut(w.path("once"), "1001,1002"))
	if text, err := os.ReadFile(w.path("once")); err != nil || string(text) != "#001,1002\n" {
		t.Errorf("%q, %v", text, err)
	}
	if s := w.d.helperStatus(0); !s.Used || s.Gone != "" || len(s.LostUndos) != 0 {
		t.Errorf("%+v", s)
	}
	w.ran("do undo ")
	if w.link.count(0) != 0 {
		t.Error("a command counts as running")
	}
}

// TestAnUndoThatIsNotOwed is in the daemon's journal from before it had a helper.
func TestAnUndoThatIsNotOwed(t *testing.T) {
	w := newHelperWorld(t)
	if err := w.run(true); !errors.Is(err, privileged.ErrNotOwed) {
		t.Errorf("got %v", err)
	}
	w.ran("")
	s := w.d.helperStatus(time.Hour)
	if len(s.LostUndos) != 1 || s.LostUndos[0].Door != "a" || !cmp.Equal(s.LostUndos[0].Argv, []string{w.program, "undo"}) || s.LostUndos[0].At.Sub(w.d.clock.start) < time.Hour/2 {
		t.Errorf("%+v", s)
	}
	if !strings.Contains(w.log.String(), `command="`+w.program+` undo"`) {
		t.Errorf("the log has no whole command: %s", w.log)
	}
	if diff := cmp.Diff([]engine.Record{{Grant: &engine.Grant{ID: 7}, Ended: true}}, w.forgot, cmp.AllowUnexported(netip.Prefix{}), cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); diff != "" {
		t.Errorf("the journal (-want +got):\n%s", diff)
	}
	for range 2 * maxLostUndos {
		w.link.noteLost(effect.Command{Argv: []string{"/x"}})
	}
	if n := len(w.d.helperStatus(0).LostUndos); n != maxLostUndos {
		t.Errorf("%d are listed", n)
	}
}

// TestAnUndoThatFailed is one that the helper ran by itself.
func TestAnUndoThatFailed(t *testing.T) {
	w := newHelperWorld(t)
	must(t, w.run(false))
	must(t, os.Rename(w.program, w.path("gone")))
	w.kill()
	w.lost()
	w.start()
	<-w.settled
	for deadline := time.Now().Add(patience); len(w.d.helperStatus(0).FailedUndos) == 0; {
		if time.Now().After(deadline) {
			t.Fatal("the status does not name it")
		}
		<-time.After(time.Millisecond)
	}
	if f := w.d.helperStatus(0).FailedUndos[0]; f.Door != "a" || f.Command != w.program+" undo" || !strings.Contains(f.Reason, "no such file") {
		t.Errorf("%+v", f)
	}
	if !strings.Contains(w.log.String(), "an undo of the helper that this daemon did not know of failed") {
		t.Errorf("the log: %s", w.log)
	}
}

// TestLooksWhileAReadHangs wait for the read, and leave nothing behind when they wait no longer.
func TestLooksWhileAReadHangs(t *testing.T) {
	w := newHelperWorld(t)
	w.link.reading <- struct{}{}
	before := runtime.NumGoroutine()
	for range 100 {
		ctx, stop := context.WithCancel(t.Context())
		stop()
		if _, err := w.d.readAgain(ctx, nil, nil); !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
	}
	if n := runtime.NumGoroutine(); n > before+50 {
		t.Errorf("%d goroutines, and %d before", n, before)
	}
	<-w.link.reading
	_, err := w.d.readAgain(t.Context(), nil, nil)
	must(t, err)
}

// TestAnInheritedHelper cannot come back: nothing waits for it.
func TestAnInheritedHelper(t *testing.T) {
	d := &daemon{config: Config{Log: hclog.NewNullLogger()}, clock: newClock()}
	ours, theirs, err := privileged.Pair()
	must(t, err, theirs.Close())
	d.config.Helper = ours
	if d.openHelper(t.Context(), "scripts have commands") != true || d.helper == nil {
		t.Fatal("it is not used")
	}
	defer d.helper.close()
	for _, undo := range []bool{false, true} {
		c := effect.Command{Argv: []string{"/bin/true"}, Undo: undo}
		var result error
		d.helper.Run(t.Context(), c, func(_ effect.Output, err error) { result = err })
		if !errors.Is(result, privileged.ErrGone) {
			t.Errorf("undo %v: %v", undo, result)
		}
	}
	if s := d.helperStatus(0); !s.Final || s.Gone == "" {
		t.Errorf("%+v", s)
	}
}

// TestAnInheritedHelperThatIsNotNeeded runs the undo of a daemon whose state was lost.
func TestAnInheritedHelperThatIsNotNeeded(t *testing.T) {
	w := newHelperWorld(t)
	must(t, w.run(false))
	w.link.close()
	w.closed = true
	w.kill()
	server, err := privileged.New(privileged.Config{
		Settings: func() (privileged.Settings, error) {
			return privileged.Settings{Scripts: w.path("scripts"), AllowWritable: true}, nil
		},
		Dir: w.path("helper"), Log: hclog.NewNullLogger(),
	})
	must(t, err)
	ours, theirs, err := privileged.Pair()
	must(t, err)
	conn, err := privileged.Conn(theirs)
	must(t, err)
	d := &daemon{config: Config{Helper: ours, Log: hclog.NewNullLogger()}, clock: newClock()}
	if d.openHelper(t.Context(), "") || d.helper != nil {
		t.Error("it is used")
	}
	must(t, server.Serve(t.Context(), conn), server.Close())
	d.unused.Wait()
	w.ran("do undo ")
}

// TestTheHelperJudgesFiles has scripts that the daemon must not load, and settings that differ.
func TestTheHelperJudgesFiles(t *testing.T) {
	w := newHelperWorld(t)
	files, err := w.d.readAgain(t.Context(), nil, nil)
	must(t, err, w.d.vet(files, nil))
	set, err := w.d.loadVetted(files)
	must(t, err)
	set.Close()
	for _, tt := range []struct {
		verdict      privileged.Reading
		loaded       bool
		want         string
		holdsTheFile bool
	}{
		{privileged.Reading{Trouble: "the scripts do not load"}, false, "", false},
		{privileged.Reading{Trouble: "no loader"}, true, "the helper runs no command of these scripts: no loader", false},
		{privileged.Reading{Trouble: "all", Held: "/x (mode 0777)"}, false, "/x (mode 0777)", true},
	} {
		tt.verdict.Files = &source.Files{}
		w.link.noteVerdict(&tt.verdict)
		err := w.link.vetByHelper(tt.verdict.Files, tt.loaded)
		if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%+v: %v", tt.verdict, err)
		}
		if _, held := errors.AsType[*heldError](err); held != tt.holdsTheFile {
			t.Errorf("%+v: held %v", tt.verdict, held)
		}
	}
	if err := w.link.vetByHelper(&source.Files{}, true); err == nil {
		t.Error("files that the helper never read pass")
	}
	if got := w.link.held(); got != "/x (mode 0777)" {
		t.Errorf("the latest: %q", got)
	}
	w.d.config.Options = map[string]config.Value{"x": {Text: "1"}}
	if _, err := w.d.readAgain(t.Context(), files, nil); err == nil || !strings.Contains(err.Error(), "other values for the options") {
		t.Errorf("other options: %v", err)
	}
	w.d.config.Options, w.d.config.Scripts = nil, w.path("others")
	if _, err := w.d.readAgain(t.Context(), files, nil); err == nil || !strings.Contains(err.Error(), "the helper reads the scripts at "+w.path("scripts")) {
		t.Errorf("other scripts: %v", err)
	}
}

func TestHelperNeed(t *testing.T) {
	with := func(commands int, files ...source.File) *scripting.Set {
		return &scripting.Set{Commands: make([]*scripting.Command, commands), Files: files}
	}
	pending := func(ended bool, undo ...string) stateFound {
		return stateFound{recovered: state.Recovered{Records: []engine.Record{{Store: &engine.Put{}}, {Grant: &engine.Grant{Undo: undo}, Ended: ended}}}}
	}
	for _, tt := range []struct {
		name  string
		err   error
		good  *scripting.Set
		set   *scripting.Set
		found stateFound
		want  string
	}{
		{"nothing", nil, nil, with(0, source.File{}), stateFound{}, ""},
		{"another error", errors.New("x"), nil, nil, stateFound{}, ""},
		{"files of root", fs.ErrPermission, nil, nil, stateFound{}, "this process cannot read the scripts"},
		{"a command", nil, with(0), with(1), stateFound{}, "scripts have commands"},
		{"a command of before", errors.New("x"), with(1), nil, stateFound{}, "scripts have commands"},
		{"one-time sequences", nil, nil, with(0, source.File{}, source.File{OneTime: true}), stateFound{}, "scripts have one-time sequences"},
		{"an undo", nil, nil, with(0), pending(false, "/x"), "an undo is pending"},
		{"an undo that is over", nil, nil, with(0), pending(true, "/x"), ""},
		{"a grant", nil, nil, with(0), pending(false), ""},
		{"no journal", nil, nil, with(0), stateFound{err: errDiskHangs}, "it is not known whether an undo is pending"},
	} {
		if got := helperNeed(tt.err, []*scripting.Set{tt.good, tt.set}, tt.found); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}

func TestWhyThereIsNoHelper(t *testing.T) {
	dir := t.TempDir()
	writeFile(t, dir+"/file", "")
	socket, err := net.Listen("unixpacket", dir+"/socket")
	must(t, err)
	defer socket.Close()
	for path, want := range map[string]string{
		"": `the configuration has helper = ""`, dir + "/none": "there is no socket " + dir + "/none", dir + "/file": dir + "/file is no socket", dir + "/socket": "",
	} {
		if got := noHelper(path, 12345); got != want {
			t.Errorf("%q: %q, want %q", path, got, want)
		}
	}
	if got := noHelper(dir+"/socket", 0); got != "this process is root itself" {
		t.Errorf("root: %q", got)
	}
	d := &daemon{}
	if d.openHelper(t.Context(), "") || d.helperStatus(0).Unused != "no script has a command or one-time sequences" || d.privileged() != nil {
		t.Errorf("%+v", d.helperStatus(0))
	}
}
