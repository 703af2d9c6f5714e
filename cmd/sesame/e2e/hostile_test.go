//go:build linux

package e2e

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sesame/daemon/control"
	"sesame/daemon/damagetest"
	"sesame/daemon/livetest"
	"sesame/scripting/hostiletest"
)

const (
	// hostileMemory bounds what a daemon with hostile scripts needs at most, in MiB.
	hostileMemory = 300
	// hostileKnocks are sent at each hostile script, of as many sources.
	hostileKnocks = 300
)

// TestRealHostileScripts gives a running daemon one hostile script after another, beside an honest
// door, and then all at once. A crowd knocks at each. The honest door must open all the time.
func TestRealHostileScripts(t *testing.T) {
	// A daemon without commands gives up starting programs, and would refuse those that have some.
	w := newWorld(t, map[string]string{"ssh.lua": longDoor, "command.lua": `sesame.command { "/bin/true" }`})
	w.start()
	scripts, all := hostiletest.Reported(), hostiletest.All()
	if damagetest.Share(t, len(all)) >= len(all) {
		scripts = all
	}
	honest := 0
	for _, script := range scripts {
		w.write("hostile.lua", script.Text)
		w.honest(&honest, script.Name+" is being loaded")
		w.reload("tcp/81") // which may well be refused
		w.harass(script, &honest)
		t.Logf("%s: at most %d MiB so far", script.Name, w.peak())
	}
	w.remove("hostile.lua")
	t.Log("# all at once")
	for _, script := range scripts {
		if script.Knock != "" {
			w.write(fileOf(script), script.Text)
		}
	}
	if e := w.reload(); e.status != done {
		t.Errorf("all that load alone load together: %+v", e)
	}
	for _, script := range scripts {
		w.harass(script, &honest)
	}
	for _, script := range scripts {
		if script.Knock != "" {
			w.remove(fileOf(script))
		}
	}
	if e := w.reload("tcp/81"); e.status != done {
		t.Errorf("the hostile ones are gone: %+v", e)
	}
	w.honest(&honest, "all are gone")
	w.knock(sshKnocks...)
	w.opens(ssh4)
	peak := w.peak()
	t.Logf("%d honest sources, all let in; at most %d MiB of memory", honest, peak)
	if raceFlags == nil && peak > hostileMemory {
		t.Errorf("%d MiB of memory", peak)
	}
}

// fileOf returns a name for the file of a script.
func fileOf(s hostiletest.Script) string { return strings.ReplaceAll(s.Name, " ", "-") + ".lua" }

func (w *world) remove(name string) {
	w.Helper()
	if err := os.Remove(filepath.Join(w.scripts, name)); err != nil {
		w.Fatal(err)
	}
}

// harass lets a crowd knock at a hostile script, and an honest source after it.
func (w *world) harass(script hostiletest.Script, honest *int) {
	w.Helper()
	if script.Knock != "" {
		w.onceEach(hostileKnocks, script.Knock, func(i int) netip.Addr { return livetest.Source4(100_000 + i) })
		w.onceEach(script.Crowd, script.Knock, ofOneNetwork)
	}
	w.honest(honest, script.Name+" was knocked at")
}

// onceEach lets so many sources knock once.
func (w *world) onceEach(count int, port string, source func(int) netip.Addr) {
	w.Helper()
	if _, _, err := w.sender.Send(context.Background(), livetest.Flood(count, source, count, port), 0); err != nil {
		w.Fatal(err)
	}
}

// ofOneNetwork returns one of 65,536 addresses of a /64.
func ofOneNetwork(i int) netip.Addr {
	return netip.AddrFrom16([16]byte{0x20, 0x01, 0x0d, 0xb8, 0x7f, 13: 1, 14: byte(i >> 8), 15: byte(i)})
}

// honest lets a source knock that nobody knows yet, and waits until it is let in.
func (w *world) honest(number *int, when string) {
	w.Helper()
	source := livetest.Source4(*number)
	*number++
	w.send(source, sshKnocks...)
	w.eventually(fmt.Sprintf("%s: %s is let in", when, source), func() bool {
		// An answer that takes long is asked for again: the machine may have much else to do.
		grants, err := w.client().Grants(w.Context())
		return err == nil && slices.ContainsFunc(grants, func(g control.Grant) bool { return g.Door == "ssh" && g.By == source })
	})
}
