//go:build linux

package privileged

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sesame/daemon/effect"
	"sesame/daemon/engine"
	"sesame/scripting/source"
)

// A world is a directory of scripts with a program that notes how it is run.
type world struct {
	t             testing.TB
	dir           string
	scripts       string
	once          string // a file of one-time sequences
	other         string // a file that no script names
	program       string
	ran           string // what program wrote
	helper        string // the helper's directory
	process       *os.Process
	ban, ask, say engine.Invocation // declared commands, without values
}

const alice = "203.0.113.9"

func newWorld(t testing.TB) *world {
	dir := t.TempDir()
	must(t, os.Chmod(dir, 0o755))
	w := &world{t: t, dir: dir, scripts: filepath.Join(dir, "scripts"), helper: filepath.Join(dir, "helper"), ran: filepath.Join(dir, "ran"), program: filepath.Join(dir, "program")}
	w.once = write(t, dir, "once", "1001,1002\n1003,1004\n")
	w.other = write(t, dir, "other", "1001,1002\nsecret\n")
	write(t, dir, "program", "#!/bin/sh\nprintf '%s\\n' \"$*\" >>"+w.ran+"\n[ \"$1\" != fail ] || exit 3\n[ \"$1\" != hang ] || sleep 600\n[ \"$1\" != slow ] || { while [ ! -e "+w.ran+".go ]; do sleep 0.05; done; exit 3; }\n")
	must(t, os.Chmod(w.program, 0o700))
	w.declare("")
	w.ban = engine.Invocation{Argv: []string{w.program, "ban", "{source}", "{level}"}, Undo: []string{w.program, "unban", "{source}"}}
	w.ask = engine.Invocation{Argv: []string{w.program, "ask", "{port}", "{door}"}}
	w.say = engine.Invocation{Argv: []string{w.program, "hang"}, Undo: []string{w.program, "unhang"}}
	return w
}

// declare writes the scripts, with more behind them.
func (w *world) declare(more string) {
	w.t.Helper()
	write(w.t, w.scripts, "a.lua", fmt.Sprintf(`
local ban = sesame.command { %[1]q, "ban", "{source}", "{level}", undo = { %[1]q, "unban", "{source}" }, choices = { level = { "low", "high" } } }
local ask = sesame.command { %[1]q, "ask", "{port}", "{door}" }
local fail = sesame.command { %[1]q, "fail", undo = { %[1]q, "unfail" } }
local bear = sesame.command { %[1]q, "fail", "well", undo = { %[1]q, "unbear" }, status = "any" }
local hang = sesame.command { %[1]q, "hang", undo = { %[1]q, "unhang" } }
local slow = sesame.command { %[1]q, "slow", undo = { %[1]q, "unslow" } }
local bad = sesame.command { %[1]q, "badundo", undo = { %[1]q, "fail", "undo" } }
sesame.door "ssh" { one_time_sequences = %[2]q }
%[3]s`, w.program, w.once, more))
}

// log returns the lines that the program wrote.
func (w *world) log() []string {
	text, err := os.ReadFile(w.ran)
	if err != nil || len(text) == 0 { // the shell makes the file before it writes the line
		return nil
	}
	return strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
}

// wantLog compares what ran since the last call.
func (w *world) wantLog(lines ...string) {
	w.t.Helper()
	got := strings.Join(w.log(), "; ")
	_ = os.Remove(w.ran)
	if want := strings.Join(lines, "; "); got != want {
		w.t.Errorf("ran     %s\nwanted  %s", got, want)
	}
}

// command returns a command that a decision for alice runs.
func (w *world) command(how engine.Invocation, values map[string]string) effect.Command {
	how.Values = values
	return effect.Command{Argv: how.Argv, Invocation: &how, Door: "ssh", Source: netip.MustParsePrefix(alice + "/32"), Grant: 1}
}

func banned(address string) map[string]string {
	return map[string]string{"source": address, "level": "low"}
}

// A connection is a client with its goroutine.
type connection struct {
	*Client
	socket *net.UnixConn
	ended  chan error
}

// close breaks the connection, as the end of a daemon does.
func (c *connection) close() {
	_ = c.socket.Close()
	<-c.ended
}

func connect(t testing.TB, end *os.File) *connection {
	t.Helper()
	socket, err := Conn(end)
	must(t, err)
	client, err := NewClient(socket)
	must(t, err)
	c := &connection{client, socket, make(chan error, 1)}
	go func() { c.ended <- client.Receive(context.Background()) }()
	t.Cleanup(func() { _ = socket.Close() })
	return c
}

// start starts a helper in a process of its own, and connects to it.
func (w *world) start() *connection {
	w.t.Helper()
	ours, theirs, err := Pair()
	must(w.t, err)
	w.process, err = os.StartProcess("/proc/self/exe", []string{"helper", asHelper, w.scripts, w.helper}, &os.ProcAttr{Files: []*os.File{nil, nil, os.Stderr, theirs}})
	must(w.t, err, theirs.Close())
	w.t.Cleanup(w.kill)
	return connect(w.t, ours)
}

// kill ends the helper as a crash does.
func (w *world) kill() {
	if w.process != nil {
		_ = w.process.Kill()
		_, _ = w.process.Wait()
		w.process = nil
	}
}

// A hosted server runs in this process.
type hosted struct {
	*Server
	t     testing.TB
	begin func(*net.UnixConn) error // [Server.Serve]
	stop  func()
}

func (w *world) host() *hosted {
	w.t.Helper()
	s, err := New(configFor(w.scripts, w.helper))
	must(w.t, err)
	s.cfg.Loader = loader
	ctx, stop := context.WithCancel(context.Background())
	h := &hosted{s, w.t, func(conn *net.UnixConn) error { return s.Serve(ctx, conn) }, stop}
	w.t.Cleanup(func() { stop(); _ = s.Close() })
	return h
}

// serve serves one more connection, and returns its socket and how it ends.
func (h *hosted) serve() (end *os.File, ended <-chan error) {
	h.t.Helper()
	ours, theirs, err := Pair()
	must(h.t, err)
	conn, err := Conn(theirs)
	must(h.t, err)
	done := make(chan error, 1)
	go func() { done <- h.begin(conn) }()
	h.t.Cleanup(h.stop)
	return ours, done
}

func (h *hosted) connect() *connection {
	h.t.Helper()
	end, _ := h.serve()
	return connect(h.t, end)
}

// read reads the set.
func (c *connection) read(ctx context.Context) (files *source.Files, trouble string, err error) {
	r, err := c.Read(ctx, "")
	if err != nil {
		return nil, "", err
	}
	if r.Trouble == "" {
		err = c.Applied(r)
	}
	return r.Files, r.Trouble, err
}

// applied waits until the helper knows that the newest set runs, and has saved it.
func (h *hosted) applied() {
	h.t.Helper()
	eventually(h.t, "the set is applied and saved", func() bool {
		h.catalog.mu.Lock()
		defer h.catalog.mu.Unlock()
		return h.catalog.newest != nil && h.catalog.applied == h.catalog.newest && !h.saving.Load() && exists(filepath.Join(h.cfg.Dir, setName))
	})
}

// done runs a command to its end.
func (c *connection) done(ctx context.Context, command effect.Command) (text string) {
	c.Run(ctx, command, func(out effect.Output, err error) {
		text = out.Text
		if err != nil {
			text = err.Error()
		}
	})
	return text
}

func undoing(argv ...string) effect.Command { return effect.Command{Argv: argv, Undo: true} }
