package scripting

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/yuin/gopher-lua"

	"sesame/daemon/engine"
	"sesame/scripting/source/sourcetest"
)

func loadOne(t testing.TB, text string) *Set {
	t.Helper()
	set, err := Load(sourcetest.Files(map[string]string{"ssh.lua": text}), Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(set.Close)
	return set
}

func aCall(kind engine.CallKind, door *engine.Door) *engine.Call {
	now := time.Date(2026, 3, 2, 10, 0, 0, 0, time.UTC)
	return &engine.Call{Kind: kind, Door: door, Script: "ssh.lua", Source: netip.MustParseAddr("203.0.113.9"), Stage: 2, Stages: 2, Time: now, Wall: now, Store: &engine.Store{}}
}

// A call that the engine never makes has the host's own code fail, which is
// the worst that can happen to a Lua state.
func TestAFailedMachineIsMadeAnew(t *testing.T) {
	set := loadOne(t, `
local word = sesame.option "word" { type = "string", default = "hello" }
sesame.door "ssh" { sequence = { 1, 2 }, guards = 22,
  when = function(attempt) return true end,
  on_open = function(attempt) attempt:log(word) attempt:allow() end }`)
	door := set.Engine.Doors[0]
	if _, err := door.Handler.Handle(aCall(engine.CallOpen, nil)); err == nil {
		t.Fatal("a call without a door is taken: expected the machine to fail")
	}
	if !set.scripts[0].state.Broken() {
		t.Fatal("the machine goes on: this test no longer breaks it")
	}
	for range 2 {
		decision, err := door.Handler.Handle(aCall(engine.CallOpen, door))
		if err != nil || len(decision.Operations) != 2 || decision.Operations[0] != (engine.Log{Text: "hello"}) {
			t.Errorf("the next knock: %+v, %v", decision, err)
		}
		if verdict, err := door.When[0].Check(aCall(engine.CallWhen, door)); err != nil || verdict.Outcome != engine.Yes {
			t.Errorf("its condition: %+v, %v", verdict, err)
		}
	}
}

// It cannot happen, since loading is the same each time; if it does, every
// knock is refused and nothing else fails.
func TestAMachineThatCannotBeMadeAnew(t *testing.T) {
	set := loadOne(t, `sesame.door "ssh" { sequence = { 1, 2 }, guards = 22, on_open = function(attempt) attempt:allow() end }`)
	door, s := set.Engine.Doors[0], set.scripts[0]
	if _, err := door.Handler.Handle(aCall(engine.CallOpen, nil)); err == nil {
		t.Fatal("expected the machine to fail")
	}
	s.source = loadOne(t, `sesame.door "ssh" { sequence = { 1, 2 } }`).scripts[0].source
	for range 2 {
		_, err := door.Handler.Handle(aCall(engine.CallOpen, door))
		if want := "ssh.lua: starting the script again: it registers something else than before"; err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

func TestAnObjectDiesWithItsFunction(t *testing.T) {
	set := loadOne(t, `sesame.door "ssh" { sequence = { 1, 2 }, on_open = function(attempt) attempt:log(attempt.source) end }`)
	s := set.scripts[0]
	kept := &run{script: s, call: aCall(engine.CallOpen, set.Engine.Doors[0]), kind: engine.CallOpen}
	L := s.state.L()
	object := s.userdata(L, &object{kind: "attempt", run: kept})
	if _, err := kept.invoke(1, 0, object); err != nil {
		t.Fatal(err)
	}
	L.SetGlobal("kept", object)
	for _, line := range []string{"return kept.source", "return kept.store", "kept:log('again')"} {
		err := L.DoString(line)
		if err == nil || !strings.Contains(err.Error(), "attempt used after its handler returned") {
			t.Errorf("%s: %v", line, err)
		}
	}
	if len(kept.operations) != 1 {
		t.Errorf("the decision has %d operations: expected the one of the call", len(kept.operations))
	}
}

func TestTheFaceOfAnObjectIsLocked(t *testing.T) {
	s := loadOne(t, `sesame.door "ssh" { sequence = { 1, 2 } }`).scripts[0]
	for kind, metatable := range s.metatables {
		if metatable.RawGetString("__metatable") == lua.LNil {
			t.Errorf("the metatable of %s can be changed by a script", kind)
		}
	}
}

func BenchmarkHandler(b *testing.B) {
	door := loadOne(b, `sesame.door "ssh" { sequence = { 1, 2 }, guards = 22, on_open = function(attempt) attempt:allow() end }`).Engine.Doors[0]
	call := aCall(engine.CallOpen, door)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := door.Handler.Handle(call); err != nil {
			b.Fatal(err)
		}
	}
}
