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
	if len(o.unread) != 1 || o.unread[0] != `1 stored value of "spa.lua": no script has this name; if its file was renamed, write sesame.script "spa.lua" at its head; to forget it: sesame store forget spa.lua --all` {
		t.Errorf("unread: %q", o.unread)
	}
	w.logged("no script reads what is stored under a name")

	t.Log("# the watcher was faster than the person, who reads it all the same")
	o = w.r.reload(w.Context(), wish{}, false)
	w.wantOutcome(o, control.Unchanged, 3)
	answer := w.r.answer(w.Context(), o)
	if len(answer.Unread) != 1 || answer.Last == nil || answer.Last.Outcome.Outcome != control.Applied || answer.Last.Outcome.Generation != 3 || len(answer.Last.Changes) != 1 {
		t.Errorf("the answer is %+v, with %+v", answer, answer.Last)
	}

	t.Log("# the next step that it names")
	writeFile(t, w.dir+"/beacon.lua", "sesame.script \"spa.lua\"\n"+door)
	o = w.hint()
	w.wantOutcome(o, control.Applied, 4)
	if o.unread != nil {
		t.Errorf("unread: %q", o.unread)
	}
	w.knock(1, 2)
	w.wantOpened() // replay protection holds

	t.Log("# without the name again, and what has no reader is forgotten")
	writeFile(t, w.dir+"/beacon.lua", door)
	w.wantOutcome(w.hint(), control.Applied, 5)
	d := &daemon{loop: w.l}
	d.config.Log = w.l.log
	if gone, err := d.forget(w.Context(), control.ForgetRequest{Chosen: control.Chosen{Script: "spa.lua"}, All: true}); gone != (control.Forgotten{Count: 1}) || err != nil {
		t.Errorf("forgotten: %+v, %v", gone, err)
	}
	if answer := w.r.answer(w.Context(), w.r.reload(w.Context(), wish{}, false)); answer.Unread != nil {
		t.Errorf("unread: %q", answer.Unread)
	}
}

// A reload that finds nothing to do tells what the watcher did in the minute before, and nothing
// earlier.
func TestRealReloadBehindTheWatcher(t *testing.T) {
	w := newReloading(t, testedDoor, nil)
	answer := func() control.Outcome {
		t.Helper()
		o := w.r.reload(w.Context(), wish{}, false)
		w.wantOutcome(o, control.Unchanged, w.r.generation)
		return w.r.answer(w.Context(), o)
	}
	if last := answer().Last; last != nil {
		t.Errorf("nothing happened, but %+v", last)
	}
	w.tests(doorTest)
	w.wantOutcome(w.hint(), control.Unchanged, 1)
	if last := answer().Last; last == nil || last.Outcome.Outcome != control.Unchanged || last.Tests.Passed != 1 {
		t.Errorf("the tests ran, but %+v", last)
	}
	w.script(testedDoor + ` sesame.door "e" { sequence = { "tcp/3", "tcp/4" }, guards = "tcp/22" }`)
	w.wantOutcome(w.hint(), control.Applied, 2)
	last := answer().Last
	if last == nil || last.Outcome.Outcome != control.Applied || last.Tests.Passed != 1 || len(last.Changes) != 1 || last.Changes[0].Name != "e" || last.At.IsZero() {
		t.Errorf("a door was applied, but %+v", last)
	}
	w.l.do(w.Context(), func() { w.r.last.at = w.r.last.at.Add(-latelyApplied) })
	if last := answer().Last; last != nil {
		t.Errorf("long ago, but %+v", last)
	}
}
