package daemon

import (
	"testing"

	"sesame/daemon/control"
)

// TestRealRenamedScript renames a script that stores values. Without a name they have no reader,
// which the reload says; with the former path as its name the file has them again.
func TestRealRenamedScript(t *testing.T) {
	const door = `sesame.door "d" { sequence = { "tcp/1", "tcp/2" }, guards = "tcp/22", tripwires = 0,
  on_open = function(attempt)
    if not sesame.store:once("nonce", "1h") then return false, "used" end
    attempt:allow()
  end }`
	w := newReloading(t, `sesame.door "other" { sequence = { "tcp/3", "tcp/4" }, guards = "tcp/23" }`, nil)
	writeFile(t, w.dir+"/spa.lua", door)
	o := w.hint()
	w.wantOutcome(o, control.Applied, 2)
	if o.unread != nil {
		t.Errorf("unread: %q", o.unread)
	}
	w.knock(1, 2)
	w.wantOpened("d")

	t.Log("# renamed without a name")
	w.move("spa.lua", "beacon.lua", door)
	o = w.hint()
	w.wantOutcome(o, control.Applied, 3)
	if len(o.unread) != 1 || o.unread[0] != `1 stored value of "spa.lua": no script has this name; if its file was renamed, write sesame.script "spa.lua" at its head` {
		t.Errorf("unread: %q", o.unread)
	}
	w.logged("no script reads what is stored under a name")

	t.Log("# the next step that it names")
	writeFile(t, w.dir+"/beacon.lua", "sesame.script \"spa.lua\"\n"+door)
	o = w.hint()
	w.wantOutcome(o, control.Applied, 4)
	if o.unread != nil {
		t.Errorf("unread: %q", o.unread)
	}
	w.knock(1, 2)
	w.wantOpened() // replay protection holds
}
