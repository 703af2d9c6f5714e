//go:build linux

package privileged

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sesame/daemon/effect"
	"sesame/daemon/engine"
)

// more declares one more command, and returns how it is run.
func (w *world) more(word string) (text string, how engine.Invocation) {
	return fmt.Sprintf("sesame.command { %q, %q }", w.program, word), engine.Invocation{Argv: []string{w.program, word}}
}

// During a trial the commands of both sets may run, whatever the files are by then. When the set
// before returns, that is so for a while, for what is decided already.
func TestCommandsDuringATrial(t *testing.T) {
	w := newWorld(t)
	h := w.host()
	c := h.connect()
	first, err := c.Read(t.Context(), "")
	must(t, err, c.Applied(first))
	h.applied()

	text, tried := w.more("tried")
	w.declare(text)
	second, err := c.Read(t.Context(), "")
	must(t, err, c.Tried(second))
	eventually(t, "the trial is known", func() bool { h.catalog.mu.Lock(); defer h.catalog.mu.Unlock(); return h.catalog.onTrial != nil })
	w.declare("")
	write(t, w.scripts, "a.lua", `sesame.door "ssh" { sequence = { 1, 2, 3 } }`)
	_, err = c.Read(t.Context(), "") // as the status does
	must(t, err)
	c.done(t.Context(), w.command(tried, nil))
	c.done(t.Context(), w.command(w.ban, banned(alice)))
	w.wantLog("tried", "ban 203.0.113.9 low")

	must(t, c.Applied(first))
	eventually(t, "the trial is over", func() bool { h.catalog.mu.Lock(); defer h.catalog.mu.Unlock(); return h.catalog.onTrial == nil })
	c.done(t.Context(), w.command(w.ban, banned(alice)))
	c.done(t.Context(), w.command(tried, nil))
	w.wantLog("ban 203.0.113.9 low", "tried")
	h.catalog.mu.Lock()
	h.catalog.until = now()
	h.catalog.mu.Unlock()
	if text := c.done(t.Context(), w.command(tried, nil)); !strings.Contains(text, "no script declares the command now") {
		t.Errorf("a command of the trial, later: %s", text)
	}
	w.wantLog()
}

// What a set elsewhere declares may run once the daemon runs it, also by a helper that is
// started later.
func TestASetElsewhere(t *testing.T) {
	w := newWorld(t)
	h := w.host()
	c := h.connect()
	first, err := c.Read(t.Context(), "")
	must(t, err, c.Applied(first))
	h.applied()
	text, how := w.more("there")
	there := filepath.Join(w.dir, "new")
	write(t, there, "b.lua", text)
	read, err := c.Read(t.Context(), there)
	must(t, err)
	if read.Trouble != "" || read.Files.Dir != there || strings.Join(read.Files.Paths(), " ") != "b.lua" {
		t.Errorf("read %+v of %s", read.Files.Paths(), read.Files.Dir)
	}
	if text := c.done(t.Context(), w.command(how, nil)); !strings.Contains(text, "no script declares the command now") {
		t.Errorf("before the daemon runs it: %s", text)
	}
	must(t, c.Tried(read))
	eventually(t, "the trial is known", func() bool { h.catalog.mu.Lock(); defer h.catalog.mu.Unlock(); return h.catalog.onTrial != nil })
	write(t, there, "b.lua", "-- another, which is read during the trial")
	_, err = c.Read(t.Context(), there)
	must(t, err, c.Applied(read))
	eventually(t, "the set is saved", func() bool {
		h.catalog.mu.Lock()
		defer h.catalog.mu.Unlock()
		saved, err := os.ReadFile(filepath.Join(w.helper, setName))
		return h.catalog.applied.sum == read.sum && h.catalog.onTrial == nil && err == nil && strings.Contains(string(saved), `"there"`)
	})
	_, err = c.Read(t.Context(), "") // as the status does
	must(t, err)
	c.done(t.Context(), effectOfNoDoor(w, how))
	w.wantLog("there")

	c.close()
	h.stop()
	must(t, h.Close())
	later := w.host().connect()
	_, err = later.Read(t.Context(), "")
	must(t, err)
	later.done(t.Context(), effectOfNoDoor(w, how))
	w.wantLog("there")
}

// effectOfNoDoor returns a command of a set without doors.
func effectOfNoDoor(w *world, how engine.Invocation) effect.Command {
	c := w.command(how, nil)
	c.Door = ""
	return c
}

// The daemon is not believed: root chose where sets may be.
func TestWhereSetsMayBe(t *testing.T) {
	dir := t.TempDir()
	for _, sub := range []string{"etc/scripts", "etc/new/deep", "etcetera", "other", "lists/a"} {
		must(t, os.MkdirAll(filepath.Join(dir, sub), 0o755))
	}
	must(t, os.Symlink(filepath.Join(dir, "other"), filepath.Join(dir, "etc", "link")))
	s := &Settings{Scripts: filepath.Join(dir, "etc/scripts"), Readable: []string{filepath.Join(dir, "lists"), filepath.Join(dir, "none")}}
	for path, want := range map[string]bool{
		"etc/new": true, "etc/new/deep": true, "etc/scripts": true, "etc": true, "lists": true, "lists/a": true,
		"etcetera": false, "other": false, "": false,
	} {
		if got := s.mayRead(filepath.Join(dir, path)); got != want {
			t.Errorf("%q: %v, want %v", path, got, want)
		}
	}
	server := &Server{}
	for path, want := range map[string]string{"etc/link": "other is neither beside the scripts", "nowhere": "no such file"} {
		if _, err := server.readAt(s, filepath.Join(dir, path)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", path, err, want)
		}
	}
}
