//go:build linux

package privileged

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sesame/daemon/effect"
	"sesame/daemon/engine"
	"sesame/scripting"
)

func TestCommandsAndUndos(t *testing.T) {
	w := newWorld(t)
	h := w.host()
	c := h.connect()
	ctx := t.Context()

	t.Log("# a helper that was started again reads the set when the daemon knows it already")
	if got := c.done(ctx, w.command(w.ask, map[string]string{"port": "22", "door": "ssh"})); got != "" {
		t.Errorf("got %s", got)
	}
	w.wantLog("ask 22 ssh")

	t.Log("# the files come with those that they name")
	files, trouble, err := c.read(ctx)
	must(t, err)
	set, err := scripting.Load(files, scripting.Options{})
	must(t, err)
	defer set.Close()
	if trouble != "" || len(set.Commands) != 7 || !cmp.Equal(files.Referenced(), []string{w.once}) {
		t.Errorf("trouble %q, %d commands, files %q", trouble, len(set.Commands), files.Referenced())
	}

	t.Log("# a command, and its undo, which is owed once")
	if got := c.done(ctx, w.command(w.ask, map[string]string{"port": "22", "door": "ssh", "source": "unused"})); got != "" {
		t.Error(got)
	}
	if got := c.done(ctx, w.command(w.ban, banned(alice))); got != "" {
		t.Error(got)
	}
	if diff := cmp.Diff([]string{w.program + " unban " + alice}, h.journal.list()); diff != "" {
		t.Errorf("owed (-want +got):\n%s", diff)
	}
	for range 2 {
		if got := c.done(ctx, undoing(w.program, "unban", alice)); got != "" {
			t.Error(got)
		}
	}
	w.wantLog("ask 22 ssh", "ban 203.0.113.9 low", "unban 203.0.113.9")

	t.Log("# a command that fails owes nothing, unless any status will do")
	fail := engine.Invocation{Argv: []string{w.program, "fail"}, Undo: []string{w.program, "unfail"}}
	bear := engine.Invocation{Argv: []string{w.program, "fail", "well"}, Undo: []string{w.program, "unbear"}}
	for _, how := range []engine.Invocation{fail, bear} {
		c.Run(ctx, w.command(how, nil), func(_ effect.Output, err error) {
			if failure, ran := errors.AsType[*engine.CommandError](err); !ran || failure.Status != 3 || err.Error() != "running "+w.program+": exit status 3" {
				t.Errorf("got %v", err)
			}
		})
	}
	if diff := cmp.Diff([]string{w.program + " unbear"}, h.journal.list()); diff != "" {
		t.Errorf("owed (-want +got):\n%s", diff)
	}
	must(t, c.Settle([][]string{{w.program, "unbear"}}))

	t.Log("# an undo that fails is owed still")
	bad := engine.Invocation{Argv: []string{w.program, "badundo"}, Undo: []string{w.program, "fail", "undo"}}
	if got := c.done(ctx, w.command(bad, nil)); got != "" {
		t.Error(got)
	}
	for range 2 {
		if got := c.done(ctx, undoing(bad.Undo...)); got != "running "+w.program+": exit status 3" {
			t.Error(got)
		}
	}
	w.wantLog("fail", "fail well", "badundo", "fail undo", "fail undo")
	if diff := cmp.Diff([]string{w.program + " unbear", w.program + " fail undo"}, h.journal.list()); diff != "" {
		t.Errorf("owed (-want +got):\n%s", diff)
	}
}

// TestAStopKillsCommands cancels a command that hangs: it may have done something, so its undo is
// owed. The undo waits for the end of the command.
func TestAStopKillsCommands(t *testing.T) {
	w := newWorld(t)
	h := w.host()
	c := h.connect()
	_, _, err := c.read(t.Context())
	must(t, err)
	ctx, stop := context.WithCancel(t.Context())
	ended, undone := make(chan error, 1), make(chan error, 1)
	go c.Run(ctx, w.command(w.say, nil), func(_ effect.Output, err error) { ended <- err })
	eventually(t, "the command runs", func() bool { return len(w.log()) == 1 })
	go c.Run(t.Context(), undoing(w.program, "unhang"), func(_ effect.Output, err error) { undone <- err })
	eventually(t, "the undo waits", func() bool {
		h.journal.mu.Lock()
		defer h.journal.mu.Unlock()
		return len(h.journal.undos) == 1 && h.journal.undos[0].over != nil
	})
	w.wantLog("hang")
	stop()
	if err := <-ended; !errors.Is(err, effect.ErrStopped) || err.Error() != "running "+w.program+": the daemon stops" {
		t.Errorf("got %v", err)
	}
	must(t, <-undone)
	w.wantLog("unhang")
}

// TestAnUndoOfACommandThatFails asks for the undo while the command runs. The command fails then,
// so nothing is owed, and the undo does not run.
func TestAnUndoOfACommandThatFails(t *testing.T) {
	w := newWorld(t)
	h := w.host()
	c := h.connect()
	_, _, err := c.read(t.Context())
	must(t, err)
	slow := engine.Invocation{Argv: []string{w.program, "slow"}, Undo: []string{w.program, "unslow"}}
	answers := make(chan error, 3)
	answer := func(_ effect.Output, err error) { answers <- err }
	ctx, stop := context.WithCancel(t.Context())
	go c.Run(t.Context(), w.command(slow, nil), answer)
	eventually(t, "the command runs", func() bool { return len(w.log()) == 1 })
	taken := func() bool {
		h.journal.mu.Lock()
		defer h.journal.mu.Unlock()
		return h.journal.undos[0].over != nil
	}
	go c.Run(ctx, undoing(slow.Undo...), answer)
	eventually(t, "an undo waits", taken)
	stop() // and another takes its place
	if err := <-answers; !errors.Is(err, effect.ErrStopped) {
		t.Errorf("the undo that was stopped: %v", err)
	}
	go c.Run(t.Context(), undoing(slow.Undo...), answer)
	eventually(t, "an undo waits", taken)
	write(t, w.dir, "ran.go", "")
	var failed int
	for range 2 {
		if err := <-answers; err != nil {
			failed++
		}
	}
	if failed != 1 || h.journal.list() != nil {
		t.Errorf("%d failed, and %q is owed", failed, h.journal.list())
	}
	w.wantLog("slow")
}

// TestOthersMayNotChangeWhatRuns gives files to another user.
func TestOthersMayNotChangeWhatRuns(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can give files away")
	}
	w := newWorld(t)
	h := w.host()
	c := h.connect()
	run := func() string {
		_, trouble, err := c.read(t.Context())
		must(t, err)
		if got := c.done(t.Context(), w.command(w.ask, map[string]string{"port": "22", "door": "ssh"})); got != "" {
			return got
		}
		return trouble
	}
	script := filepath.Join(w.scripts, "a.lua")
	for _, tt := range []struct{ path, want string }{
		{w.once, heldText + w.once + " (owner 1, mode 0600)"},
		{script, heldText + script + " (owner 1, mode 0600)"},
		{w.scripts, heldText + w.scripts + " (owner 1, mode 0700)"},
		{w.program, "running " + w.program + ": " + heldText + w.program + " (owner 1, mode 0700)"},
	} {
		if got := run(); got != "" {
			t.Errorf("before: %s", got)
		}
		must(t, os.Chown(tt.path, 1, 1))
		if got := run(); got != tt.want {
			t.Errorf("%s: got %s\nwant %s", tt.path, got, tt.want)
		}
		must(t, os.Chown(tt.path, 0, 0))
	}
	if got := run(); got != "" {
		t.Error(got)
	}

	h.applied()

	t.Log("# nothing of such a set runs in the loader, and nothing of it at a start")
	must(t, os.Chown(w.program, 1, 1))
	c.close()
	h.stop()
	must(t, h.Close())
	h = w.host()
	c = h.connect()
	if got := run(); !strings.HasPrefix(got, "running "+w.program+": ") {
		t.Errorf("got %s", got)
	}
	must(t, os.Chown(script, 1, 1))
	again := func() {
		c.close()
		h.stop()
		must(t, h.Close())
		h = w.host()
	}
	again()
	loaded := filepath.Join(w.dir, "loaded")
	h.cfg.Loader = []string{"/bin/sh", "-c", "touch " + loaded}
	c = h.connect()
	if _, trouble, err := c.read(t.Context()); err != nil || !strings.HasPrefix(trouble, heldText+script) {
		t.Errorf("trouble %q, %v", trouble, err)
	}
	must(t, os.Remove(filepath.Join(w.helper, setName))) // which a loader loaded
	must(t, os.RemoveAll(loaded))
	again()
	h.cfg.Loader = []string{"/bin/sh", "-c", "touch " + loaded}
	c = h.connect()
	if _, trouble, err := c.read(t.Context()); err != nil || trouble == "" || exists(loaded) {
		t.Errorf("trouble %q, %v, and it was loaded: %v", trouble, err, exists(loaded))
	}
	must(t, os.Chown(script, 0, 0), os.Chown(w.program, 0, 0))
	again() // with the loader that it has: a server that runs may read its configuration
	c = h.connect()
	if got := run(); got != "" {
		t.Errorf("mended: %s", got)
	}
	must(t, os.Chown(w.program, 1, 1))
	again()
	h.cfg.Settings = func() (Settings, error) { return Settings{Scripts: w.scripts, AllowWritable: true}, nil }
	c = h.connect()
	if got := run(); got != "" {
		t.Errorf("allowed: %s", got)
	}
}

func TestOneTimeSequencesAreCommentedOut(t *testing.T) {
	w := newWorld(t)
	c := w.host().connect()
	_, _, err := c.read(t.Context())
	must(t, err)
	must(t, c.CommentOut(w.once, "1003,1004"))
	if text, err := os.ReadFile(w.once); err != nil || string(text) != "1001,1002\n#003,1004\n" {
		t.Errorf("%q, %v", text, err)
	}
	for _, path := range []string{w.other, filepath.Join(w.scripts, "a.lua"), filepath.Dir(w.once) + "/./once", ""} {
		if err := c.CommentOut(path, "1001,1002"); err == nil || err.Error() != "no script takes one-time sequences from the file" {
			t.Errorf("%s: %v", path, err)
		}
	}
	if text, err := os.ReadFile(w.other); err != nil || string(text) != "1001,1002\nsecret\n" {
		t.Errorf("%q, %v", text, err)
	}
}

// TestTheSetIsReadAgain changes the scripts: the client gets a hint, and what may run changes.
func TestTheSetIsReadAgain(t *testing.T) {
	w := newWorld(t)
	h := w.host()
	c := h.connect()
	first, _, err := c.read(t.Context())
	must(t, err)
	<-c.Changed() // the watcher gives a first hint at once
	added := engine.Invocation{Argv: []string{w.program, "added"}}
	if got := c.done(t.Context(), w.command(added, nil)); got != "running "+w.program+": "+errUndeclared.Error() {
		t.Errorf("got %s", got)
	}
	w.declare(`sesame.command { "` + w.program + `", "added" }`)
	<-c.Changed()
	second, trouble, err := c.read(t.Context())
	must(t, err)
	if second.Sum == first.Sum || trouble != "" {
		t.Errorf("the same files, trouble %q", trouble)
	}
	h.applied()
	if got := c.done(t.Context(), w.command(added, nil)); got != "" {
		t.Error(got)
	}

	t.Log("# scripts that do not load change nothing that may run")
	w.declare(`sesame.dor "x" {}`)
	broken, trouble, err := c.read(t.Context())
	must(t, err)
	if _, err := scripting.Load(broken, scripting.Options{}); err == nil || trouble != "the scripts do not load" {
		t.Errorf("trouble %q, and they load: %v", trouble, err)
	}
	if got := c.done(t.Context(), w.command(added, nil)); got != "" {
		t.Error(got)
	}
	w.wantLog("added", "added")

	t.Log("# nor does a start with them, and then what is removed is no file of ours")
	c.close()
	must(t, h.Close())
	h.stop()
	h = w.host()
	c = h.connect()
	if _, trouble, err = c.read(t.Context()); err != nil || trouble == "" {
		t.Errorf("trouble %q, %v", trouble, err)
	}
	if got := c.done(t.Context(), w.command(added, nil)); got != "" {
		t.Error(got)
	}
	must(t, os.RemoveAll(w.scripts))
	if _, _, err := c.read(t.Context()); err == nil || !strings.HasPrefix(err.Error(), "reading the scripts: stat ") {
		t.Errorf("without scripts: %v", err)
	}
}

// TestASetThatTheDaemonRefuses reads an edit without the command. The daemon refuses it, as a test
// of the scripts fails, and goes on with the set before, also after a start of the helper.
func TestASetThatTheDaemonRefuses(t *testing.T) {
	w := newWorld(t)
	h := w.host()
	c := h.connect()
	_, _, err := c.read(t.Context())
	must(t, err)
	h.applied()
	write(t, w.scripts, "a.lua", `sesame.door "ssh" { sequence = { "tcp/1", "tcp/2", "tcp/3" } }`)
	for range 2 {
		read, err := c.Read(t.Context(), "")
		must(t, err)
		if read.Trouble != "" {
			t.Errorf("trouble: %s", read.Trouble)
		}
		if _, err := h.catalog.find(commandHash(w.ban.Argv, w.ban.Undo), "ssh", banned(alice), now().Add(100*time.Hour)); err != nil {
			t.Error(err)
		}
		if got := c.done(t.Context(), w.command(w.ban, banned(alice))); got != "" {
			t.Error(got)
		}
		c.close()
		h.stop()
		must(t, h.Close())
		h = w.host()
		c = h.connect()
	}

	t.Log("# one that it applies takes its place")
	_, _, err = c.read(t.Context())
	must(t, err)
	h.applied()
	if _, err := h.catalog.find(commandHash(w.ban.Argv, w.ban.Undo), "ssh", banned(alice), now().Add(handover)); err == nil {
		t.Error("the command of the set before runs for ever")
	}
}

// TestAProgramThatOthersCanChange becomes such a one after the scripts were read. Neither the
// command runs nor the undo, which stays pending.
func TestAProgramThatOthersCanChange(t *testing.T) {
	w := newWorld(t)
	h := w.host()
	c := h.connect()
	_, _, err := c.read(t.Context())
	must(t, err)
	if got := c.done(t.Context(), w.command(w.ban, banned(alice))); got != "" {
		t.Error(got)
	}
	unban := undoing(w.program, "unban", alice)
	must(t, os.Chmod(w.program, 0o777))
	for _, command := range []effect.Command{w.command(w.ban, banned(alice)), unban} {
		if got := c.done(t.Context(), command); !strings.HasPrefix(got, "running "+w.program+": "+heldText+w.program+" (") {
			t.Errorf("%q: got %s", command.Argv, got)
		}
	}
	if got := h.journal.list(); len(got) != 1 {
		t.Errorf("owed: %q", got)
	}
	must(t, os.Chmod(w.program, 0o755))
	if got := c.done(t.Context(), unban); got != "" {
		t.Error(got)
	}
	w.wantLog("ban "+alice+" low", "unban "+alice)
}

// TestFilesThatNameFiles has a knockd.conf that names a file of one-time sequences.
func TestFilesThatNameFiles(t *testing.T) {
	w := newWorld(t)
	once := write(t, w.dir, "conf-once", "1,2\n")
	conf := write(t, w.dir, "knockd.conf", "[a]\none_time_sequences = "+once+"\ncommand = "+w.program+" conf %IP%\n")
	w.declare(`sesame.knockd "` + conf + `"
sesame.door "zone" { sequence = { 1, 2 }, on_open = function(o) o:date("Europe/Madrid") end }`)
	c := w.host().connect()
	for range 2 {
		files, trouble, err := c.read(t.Context())
		must(t, err)
		if diff := cmp.Diff([]string{"/usr/share/zoneinfo/Europe/Madrid", conf, once, w.once}, files.Referenced(), cmpSorted); trouble != "" || diff != "" {
			t.Errorf("%s (-want +got):\n%s", trouble, diff)
		}
	}
	must(t, c.CommentOut(once, "1,2"))
	run := engine.Invocation{Argv: []string{"/bin/sh", "-c", w.program + " conf {source}"}}
	if got := c.done(t.Context(), w.command(run, map[string]string{"source": alice})); got != "" {
		t.Error(got)
	}
	w.wantLog("conf " + alice)
}

// TestReadsOfASession has two requests at once: the second is refused.
func TestReadsOfASession(t *testing.T) {
	w := newWorld(t)
	h := w.host()
	c := h.connect()
	errs := make(chan error, 2)
	h.reading <- struct{}{}
	for range 2 {
		go func() {
			_, _, err := c.read(t.Context())
			errs <- err
		}()
	}
	if err := <-errs; err == nil || err.Error() != "the scripts are read already for an earlier request" {
		t.Errorf("got %v", err)
	}
	<-h.reading
	must(t, <-errs)
	_, _, err := c.read(t.Context())
	must(t, err)
}

// TestAReadThatHangs holds up no command, and not the end of the helper.
func TestAReadThatHangs(t *testing.T) {
	w := newWorld(t)
	h := w.host()
	end, ended := h.serve()
	c := connect(t, end)
	_, _, err := c.read(t.Context())
	must(t, err)
	h.applied()
	h.reading <- struct{}{}
	read := make(chan error, 1)
	go func() {
		_, err := c.Read(t.Context(), "")
		read <- err
	}()
	if got := c.done(t.Context(), w.command(w.ban, banned(alice))); got != "" {
		t.Error(got)
	}
	h.stop()
	must(t, <-ended)
	if err := <-read; !errors.Is(err, ErrGone) {
		t.Errorf("the read: %v", err)
	}
	if err := h.Close(); !errors.Is(err, errDiskHangs) {
		t.Errorf("got %v", err)
	}
	<-h.reading
}

func TestAHelperThatIsGone(t *testing.T) {
	w := newWorld(t)
	h := w.host()
	c := h.connect()
	_, _, err := c.read(t.Context())
	must(t, err)
	ended := make(chan error, 1)
	go c.Run(t.Context(), w.command(w.say, nil), func(_ effect.Output, err error) { ended <- err })
	eventually(t, "the command runs", func() bool { return len(w.log()) == 1 })
	h.stop()
	if err := <-c.ended; !errors.Is(err, ErrGone) {
		t.Errorf("it ended with %v", err)
	}
	if err := <-ended; err == nil || !errors.Is(err, ErrGone) && !errors.Is(err, effect.ErrStopped) {
		t.Errorf("the command ended with %v", err)
	}
	for range 2 {
		if _, _, err := c.read(t.Context()); !errors.Is(err, ErrGone) {
			t.Errorf("got %v", err)
		}
	}
	if err := c.CommentOut(w.once, "1001,1002"); err == nil || err.Error() != "commenting out a used sequence in "+w.once+": "+ErrGone.Error() {
		t.Errorf("got %v", err)
	}
}

// TestPatience is longer than what an answer takes, and has an end where the command has one.
func TestPatience(t *testing.T) {
	for want, command := range map[time.Duration]effect.Command{
		0:                               {},
		10*time.Minute + 30*time.Second: {Timeout: 10 * time.Minute},
		30*time.Minute + time.Second:    {Timeout: time.Second, Undo: true},
		30 * time.Minute:                {Undo: true},
	} {
		if got := patienceFor(&command); got != want {
			t.Errorf("%+v: %s, want %s", command, got, want)
		}
	}
}

func TestVersions(t *testing.T) {
	w := newWorld(t)
	h := w.host()
	end, ended := h.serve()
	conn, err := Conn(end)
	must(t, err)
	b, err := (&message{kind: kindHello, version: 7}).encode()
	must(t, err)
	_, err = conn.Write(b)
	must(t, err)
	if m, open, err := receive(conn); err != nil || !open || m.kind != kindWelcome || m.version != ProtocolVersion {
		t.Errorf("got %+v, %v", m, err)
	}
	if err := <-ended; err == nil || err.Error() != "the daemon speaks version 7 of the protocol, and this helper version 1: restart both" {
		t.Errorf("got %v", err)
	}

	ours, theirs, err := Pair()
	must(t, err)
	other, err := Conn(theirs)
	must(t, err)
	b, err = (&message{kind: kindWelcome, version: 7}).encode()
	must(t, err)
	_, err = other.Write(b)
	must(t, err)
	socket, err := Conn(ours)
	must(t, err)
	if _, err := NewClient(socket); err == nil || err.Error() != "greeting the helper: the helper speaks version 7 of the protocol, and this daemon version 1: restart both" {
		t.Errorf("got %v", err)
	}
	file, err := os.Open("/dev/null")
	must(t, err)
	if _, err := Conn(file); err == nil {
		t.Error("a file is taken for a connection")
	}
}
