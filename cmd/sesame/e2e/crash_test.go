//go:build linux

package e2e

import (
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A guestbook is a door with a command whose undo is pending, and with the text that both wrote.
// The command and its undo each end only when their gate is open.
type guestbook struct {
	*world
	book  string
	gated map[string]*gate
}

// newGuestbook returns a world with a guestbook whose grants have this ttl.
func newGuestbook(t *testing.T, ttl string) *guestbook {
	w := newWorld(t, nil)
	g := &guestbook{w, w.path("book"), map[string]*gate{"in": w.gate("gate-in"), "out": w.gate("gate-out")}}
	program := w.path("sign")
	text := fmt.Sprintf(`#!/bin/sh
# sign NAME: begin, wait for the gate, end
echo "$1 begins" >> %[1]s
cat %[2]s/gate-"$1" 2>/dev/null
echo "$1 ends" >> %[1]s
`, g.book, w.dir)
	if err := os.WriteFile(program, []byte(text), 0o755); err != nil {
		t.Fatal(err)
	}
	w.write("guest.lua", fmt.Sprintf(`
local sign = sesame.command { %[1]q, "in", undo = { %[1]q, "out" }, timeout = "30s", required = true }
sesame.door "guest" {
  sequence = { "tcp/7421", "udp/9133", "tcp/2904" },
  guards   = "tcp/22",
  ttl      = %[2]q,
  on_open  = function(attempt)
    attempt:exec(sign)
    attempt:allow()
  end,
}`, program, ttl))
	return g
}

// gates lets the command end, or its undo.
func (g *guestbook) gates(names ...string) {
	g.Helper()
	for _, name := range names {
		g.gated[name].open()
	}
}

func (g *guestbook) signed() string {
	text, _ := os.ReadFile(g.book)
	return string(text)
}

// wrote waits until a line is in the book so many times.
func (g *guestbook) wrote(line string, times int) {
	g.Helper()
	g.eventually(fmt.Sprintf("%q is written %d times", line, times), func() bool { return strings.Count(g.signed(), line+"\n") >= times })
}

// tidy waits until nothing is pending, and checks that the last word was an undo's.
func (g *guestbook) tidy() {
	g.Helper()
	g.eventually("nothing is pending", func() bool {
		s := g.status()
		return s.Live.Grants == 0 && s.Effects.Queued == 0
	})
	if text := g.signed(); !strings.HasSuffix(text, "out ends\n") {
		g.Errorf("the book does not end with an undo:\n%s", text)
	}
	g.shut(ssh4)
	g.nothingWrong()
}

func TestRealKillDuringTheCommand(t *testing.T) {
	g := newGuestbook(t, "2s")
	g.start()
	g.knock(sshKnocks...)
	g.wrote("in begins", 1)
	g.shut(ssh4) // the command comes first
	g.kill()
	g.gates("in", "out")
	g.shut(ssh4)
	g.start()
	g.wrote("out ends", 1)
	g.tidy()
}

func TestRealKillWhileGranted(t *testing.T) {
	g := newGuestbook(t, "3s")
	g.gates("in", "out")
	g.start()
	g.knock(sshKnocks...)
	g.opens(ssh4)
	end := g.lastEnd()
	g.kill()
	g.opens(ssh4) // the kernel knows how long
	g.shuts(ssh4)
	g.notBefore(end)
	if strings.Contains(g.signed(), "out") {
		t.Errorf("an undo ran without a daemon:\n%s", g.signed())
	}
	g.start()
	g.wrote("out ends", 1)
	g.tidy()
}

func TestRealKillAndRestartWhileGranted(t *testing.T) {
	g := newGuestbook(t, "20s") // three starts on a busy machine
	g.gates("in", "out")
	g.start()
	g.knock(sshKnocks...)
	g.opens(ssh4)
	end := g.lastEnd()
	for range 3 {
		g.kill()
		g.start()
		if now := g.lastEnd(); now.Sub(end).Abs() > 100*time.Millisecond {
			t.Fatalf("the grant ended at %v before, and ends at %v now", end, now)
		}
		g.opens(ssh4)
	}
	if text := g.signed(); strings.Contains(text, "out") || strings.Count(text, "in begins") != 1 {
		t.Errorf("while the grant is live:\n%s", text)
	}
	g.shuts(ssh4)
	g.notBefore(end)
	g.wrote("out ends", 1)
	g.tidy()
}

func TestRealKillDuringTheUndo(t *testing.T) {
	g := newGuestbook(t, "1s")
	g.gates("in")
	g.start()
	g.knock(sshKnocks...)
	g.wrote("out begins", 1)
	g.kill()
	g.shut(ssh4)
	g.start()
	g.wrote("out begins", 2) // whether the first one was done, nobody knows
	g.gates("out")
	g.tidy()

	t.Log("# once it is done it is done")
	times := strings.Count(g.signed(), "out begins")
	g.kill()
	g.start()
	g.tidy()
	if got := strings.Count(g.signed(), "out begins"); got != times {
		t.Errorf("an undo that was done ran again:\n%s", g.signed())
	}
}

// TestRealKillRightAfterTheKnock kills daemons at moments that follow the last
// knock as closely as can be, and less closely. Each begins with what the one
// before left.
func TestRealKillRightAfterTheKnock(t *testing.T) {
	g := newGuestbook(t, "2s")
	g.gates("in", "out")
	for i := range 12 {
		g.start()
		g.send(g.net.Client.IPv4.Addr(), sshKnocks...)
		g.pass(time.Duration(i) * 700 * time.Microsecond)
		g.kill()
	}
	// On a slow machine none of them ran a command. The last one lives until one began.
	g.start()
	g.send(g.net.Client.IPv4.Addr(), sshKnocks...)
	g.eventually("a command runs", func() bool { return g.signed() != "" })
	g.kill()
	g.shuts(ssh4) // without a daemon
	g.start()
	g.tidy()
	t.Logf("the book:\n%s", g.signed())
}

// TestRealKillDuringAReload kills daemons on their way from one script set to the
// next. Whatever was saved by then, a start on broken files runs it.
func TestRealKillDuringAReload(t *testing.T) {
	w := newWorld(t, map[string]string{"ssh.lua": longDoor})
	w.start()
	w.knock(sshKnocks...)
	w.opens(ssh4)
	for i := range 10 {
		door := strings.Replace(webDoor, "10s", fmt.Sprintf("%ds", 20+i), 1)
		w.write("web.lua", door)
		if err := w.daemon.cmd.Process.Signal(syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
		w.pass(time.Duration(i) * 600 * time.Microsecond)
		w.kill()
		w.shut(ssh6)
		if i%2 == 1 {
			w.write("web.lua", "broken")
		}
		w.start()
		w.opens(ssh4)
		w.shut(ssh6)
		if s := w.status(); s.Scripts.LastGood != (i%2 == 1) || s.Firewall.State != "ok" {
			t.Errorf("run %d: %+v %+v", w.starts, s.Scripts, s.Firewall)
		}
		if i%2 == 1 {
			w.write("web.lua", door)
			w.eventually("the mended scripts run", func() bool { return !w.status().Scripts.LastGood })
		}
		w.nothingWrong()
	}
}
