//go:build linux

package e2e

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"sesame/daemon/control"
	"sesame/daemon/livetest"
)

const webDoor = `sesame.door "web" { sequence = { "tcp/4519", "udp/8204", "tcp/3127" }, within = "10s", guards = "tcp/443", ttl = "10m" }`

var webKnocks = []string{"tcp/4519", "udp/8204", "tcp/3127"}

const web4 = server4 + ":443"

func TestRealReloadApplied(t *testing.T) {
	w := newWorld(t, map[string]string{"ssh.lua": longDoor})
	w.net.Server.Echo(web4)
	w.start()
	w.knock(sshKnocks...)
	w.opens(ssh4)
	w.opens(web4) // nobody guards it yet
	w.send(livetest.Source4(1), sshKnocks[:2]...)
	w.eventually("an attempt is on its way", func() bool { return w.status().Live.Attempts == 1 })

	w.write("web.lua", webDoor)
	// The watcher may have applied it a moment before. The answer says the same then.
	if e := w.reload(); e.status != 0 || !strings.Contains(e.stdout, "generation 2, with 2 doors\n") || !strings.HasSuffix(e.stdout, "\n  door web new\n") {
		t.Errorf("%+v", e)
	}
	w.shut(web4)
	w.opens(ssh4) // a grant continues
	w.send(livetest.Source4(1), sshKnocks[2])
	w.eventually("the attempt of the unchanged door went on", func() bool { return len(w.grants()) == 2 })
	w.knock(webKnocks...)
	w.opens(web4)
	w.nothingWrong()

	t.Log("# nothing changed")
	before := w.log()
	w.write("web.lua", webDoor)
	if e := w.reload(); e.status != 0 || !strings.Contains(e.stdout, "generation ") {
		t.Errorf("%+v", e)
	}

	t.Log("# saving is enough, also by a rename")
	w.write("web.lua", strings.Replace(webDoor, "tcp/3127", "tcp/3128", 1))
	w.eventually("the reload is reported", func() bool {
		return strings.Count(w.log(), "scripts applied") > strings.Count(before, "scripts applied")
	})
	w.send(livetest.Source4(2), "tcp/4519", "udp/8204", "tcp/3128")
	w.eventually("the new sequence opens", func() bool { return len(w.grants()) == 4 })
}

// TestRealUnchangedIsSilent saves files as they were, and a file that is no
// script: nothing is logged.
func TestRealUnchangedIsSilent(t *testing.T) {
	w := newWorld(t, map[string]string{"ssh.lua": longDoor})
	w.start()
	w.logged("listening")
	before := w.log()
	for i := range 5 {
		w.write("ssh.lua", longDoor)
		w.write("access.log", fmt.Sprintf("line %d", i))
	}
	if err := os.Chtimes(filepath.Join(w.scripts, "ssh.lua"), w.status().Now, w.status().Now); err != nil {
		t.Fatal(err)
	}
	// The change that follows is reported, and so everything before it was looked at.
	w.write("ssh.lua", sshDoor)
	w.logged("scripts applied: generation=2")
	if got := strings.Count(w.log(), "\n") - strings.Count(before, "\n"); got != 1 {
		t.Errorf("%d lines:\n%s", got, strings.TrimPrefix(w.log(), before))
	}
}

func TestRealReloadRejected(t *testing.T) {
	w := newWorld(t, map[string]string{"ssh.lua": longDoor})
	w.start()
	w.write("web.lua", "local a = 1\n"+strings.Replace(webDoor, "guards", "gaurds", 1))
	e := w.reload()
	if e.status != 1 {
		t.Errorf("exit status %d", e.status)
	}
	contains(t, e.stderr, "web.lua:2:", `"gaurds"`, "did you mean", "guards", "rejected; generation 1, with 1 door, still runs")
	if s := w.sesame("status", "--strict"); s.status != 1 {
		t.Errorf("status %+v", s)
	} else {
		contains(t, s.stdout, "wrong: the scripts were rejected at", "web.lua:2")
	}
	w.knock(sshKnocks...) // the old ones continue
	w.opens(ssh4)

	t.Log("# mended")
	w.write("web.lua", webDoor)
	w.logged("scripts applied: generation=2")
	w.nothingWrong()
}

func TestRealReloadHeld(t *testing.T) {
	w := newWorld(t, map[string]string{"ssh.lua": longDoor, "web.lua": webDoor})
	w.net.Server.Echo(web4)
	w.start()
	if err := os.Remove(filepath.Join(w.scripts, "web.lua")); err != nil {
		t.Fatal(err)
	}
	e := w.reload()
	if e.status != 1 {
		t.Errorf("exit status %d", e.status)
	}
	contains(t, e.stderr, "tcp/443", "sesame reload --unguard tcp/443", "held; generation 1, with 2 doors, still runs")
	if e := w.sesame("reload", "--json"); e.status != 1 {
		t.Errorf("%+v", e)
	} else {
		contains(t, e.stdout, `"held"`, `"tcp/443"`)
	}
	w.shut(web4)
	w.knock(webKnocks...) // the old ones continue
	w.opens(web4)
	if e := w.reload("tcp/80"); e.status != 1 {
		t.Errorf("another port than the one that is held: %+v", e)
	}
	if e := w.reload("tcp/443"); e.status != 0 {
		t.Errorf("%+v", e)
	}
	w.send(livetest.Source4(1), webKnocks...)
	w.opens(web4)
	w.nothingWrong()
	if got := w.status().Guards; len(got) != 1 || got[0] != "tcp/22" {
		t.Errorf("guards %v", got)
	}
	w.shut(ssh4)
}

func TestRealHangup(t *testing.T) {
	w := newWorld(t, map[string]string{"ssh.lua": longDoor})
	w.start()
	w.write("ssh.lua", longDoor+"\n"+webDoor)
	if err := w.daemon.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	w.logged("scripts applied: generation=2")
	if err := w.daemon.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	w.knock(webKnocks...)
	w.eventually("the new door opens", func() bool { return len(w.grants()) == 1 })
	w.nothingWrong()
}

// TestRealReloadsLoseNothing reloads a hundred times while people knock: each
// finds the door, as if nobody had touched the scripts.
func TestRealReloadsLoseNothing(t *testing.T) {
	w := newWorld(t, map[string]string{"ssh.lua": longDoor})
	w.start()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	type sent struct {
		frames int
		err    error
	}
	done := make(chan sent, 1)
	const sources = 100
	rate := 2000 // packets a second: a source has its knocks 50 ms apart
	if raceFlags != nil {
		rate = 500 // the race detector takes most of the processor
	}
	go func() { // everybody knocks thrice
		frames, _, err := w.net.Client.Send(ctx, livetest.Flood(1<<30, livetest.Source4, sources, sshKnocks...), rate)
		done <- sent{frames, err}
	}()
	for i := range 100 {
		w.write("web.lua", strings.Replace(webDoor, "10s", fmt.Sprintf("%ds", 11+i), 1))
		o, err := w.client().Reload(t.Context(), control.ReloadRequest{})
		if err != nil || o.Outcome != control.Applied && o.Outcome != control.Unchanged {
			t.Fatalf("reload %d: %+v, %v", i, o, err)
		}
	}
	cancel()
	got := <-done
	if got.err != nil && got.err != context.Canceled {
		t.Fatal(got.err)
	}
	w.eventually("all are received", func() bool { return w.status().Counts.Knocks >= got.frames })
	s := w.status()
	whole := got.frames / (sources * 3) // rounds that all sources finished
	if most := (whole + 1) * sources; s.Counts.Knocks != got.frames || s.Counts.Opens < whole*sources || s.Counts.Opens > most || s.Counts.Misses != 0 || s.Capture.Lost != 0 {
		t.Errorf("%d frames, of them %d knocks, %d opens (expected %d to %d), %d misses, %d lost", got.frames, s.Counts.Knocks, s.Counts.Opens, whole*sources, most, s.Counts.Misses, s.Capture.Lost)
	}
	if s.Scripts.Generation != 101 {
		t.Errorf("generation %d", s.Scripts.Generation)
	}
	t.Logf("%d knocks, %d opens, %d reloads", s.Counts.Knocks, s.Counts.Opens, s.Scripts.Generation-1)
}
