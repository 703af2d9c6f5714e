package scripting_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sesame/daemon/engine"
	"sesame/scripting"
	"sesame/scripting/source/sourcetest"
)

// failing writes the functions that failed when they ran last, in one line each.
func (w *world) failing() []string {
	list := []string{}
	for _, f := range w.e.Failing() {
		list = append(list, fmt.Sprintf("%s %s%s %d times, last at +%s: %s", scripting.FunctionName(f.Kind), f.Door, f.Handler, f.Count, f.At.Sub(monday), f.Fault.Error()))
	}
	return list
}

// TestFailingFunctions: a function that failed is known until it succeeds, each
// on its own.
func TestFailingFunctions(t *testing.T) {
	const text = `
local function odd(attempt)
  if attempt.family == "ipv6" then return false end
  return tonumber(attempt.payload) % 2 == 1
end
sesame.handler("later", function(timer) timer:log(timer.value .. "!") end)
sesame.door "a" { sequence = { "udp/1" }, guards = 22, when = odd, on_open = function(attempt)
  attempt:log(10 - attempt.payload)
  if attempt.payload == "7" then attempt:after("10s", "later") end
  if attempt.payload == "9" then attempt:after("10s", "later", "x") end
  if attempt.payload == "5" then return false, "five" .. nil end
end }
sesame.door "b" { sequence = { "udp/2" }, on_open = function(attempt) error("never") end }`
	w := theScript(t, text)
	want := func(lines ...string) {
		t.Helper()
		if diff := cmp.Diff(append([]string{}, lines...), w.failing()); diff != "" {
			t.Errorf("failing (-want +got):\n%s", diff)
		}
	}
	want()
	t.Log("# the condition fails, and fails again")
	w.send(alice, "udp/1", "x")
	w.later(time.Second)
	w.send(alice, "udp/1", "y")
	const noNumber = "ssh.lua:4: cannot do arithmetic (mod) with nil and number"
	want("when a 2 times, last at +1s: " + noNumber)
	t.Log("# a refusal of the conditions says nothing about those behind it")
	w.send(bob, "udp/1", "1")
	want("when a 2 times, last at +1s: " + noNumber)
	t.Log("# the condition holds, and on_open fails")
	w.send(alice, "udp/1", "5")
	if got := w.failing(); len(got) != 1 || got[0][:7] != "on_open" {
		t.Errorf("got %q, want on_open alone", got)
	}
	w.send(alice, "udp/2", "")
	if got := w.failing(); len(got) != 2 {
		t.Errorf("got %q, want on_open of both doors", got)
	}
	w.send(alice, "udp/1", "7")
	want("on_open b 1 times, last at +1s: ssh.lua:13: never")
	t.Log("# a handler, and its success")
	w.later(10 * time.Second)
	if got := w.failing(); len(got) != 2 || got[0][:13] != "handler later" {
		t.Errorf("got %q, want the handler and on_open", got)
	}
	w.send(alice, "udp/1", "9")
	w.later(10 * time.Second)
	want("on_open b 1 times, last at +1s: ssh.lua:13: never")
	t.Log("# a set without the door forgets it")
	set, err := scripting.Load(sourcetest.Files(map[string]string{"ssh.lua": `sesame.door "a" { sequence = { 1 }, guards = 22 }`}), scripting.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer set.Close()
	w.see(w.e.Swap(w.now, set.Engine))
	want()
}

// TestFailingFunctionsAreBounded: so are those of a set with many doors.
func TestFailingFunctionsAreBounded(t *testing.T) {
	w := theScript(t, `for i = 1, 300 do sesame.door("d" .. i) { sequence = { i }, on_open = function() error("no") end } end`)
	for i := range 300 {
		w.knock(alice, fmt.Sprintf("tcp/%d", i+1))
	}
	if n := len(w.e.Failing()); n != 256 {
		t.Errorf("%d failing functions are known, want 256", n)
	}
	w.e.ForgetFailing(func(f engine.Failing) bool { return f.Door != "d7" })
	if n := len(w.e.Failing()); n != 1 {
		t.Errorf("%d are left, want one", n)
	}
}
