package scripting_test

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"sesame/daemon/engine"
	"sesame/daemon/packet"
	"sesame/scripting"
	"sesame/scripting/lint"
	"sesame/scripting/source"
	"sesame/scripting/source/sourcetest"
)

// FuzzScriptPackets loads any text, and if it loads, knocks at it. A problem has
// a place; a script that loads decides, and no door gives access that is not
// listed for it.
func FuzzScriptPackets(f *testing.F) {
	for _, text := range []string{
		`sesame.door "ssh" { sequence = { 1, "udp/2" }, guards = 22 }`,
		`local h = sesame.window { days = "mon-fri", from = "08:00", to = "19:00", tz = "UTC" }
sesame.door "a" { sequence = { 1, 2 }, when = { h, sesame.networks { "203.0.113.0/24" } }, on_open = function(a) a:allow { port = "tcp/443" } end }`,
		`local c = sesame.command { "/bin/x", "{source}", undo = { "/bin/y" } }
sesame.handler("t", function(t) t:log(t.value) end)
sesame.door "a" { sequence = { 1, 2 }, on_stage = function(a) a.store:incr("n") a:after("1s", "t", 1) end, on_miss = function(a) a:exec(c) end, on_close = function(g) g:close "a" end }`,
		`sesame.listen "l" { on = { "udp/1", "tcp/2" }, on_knock = function(k) if k.payload:find("^x") then k:allow { port = 22 } else return false, k.payload end end }`,
		`sesame.door "a" { sequence = { 1 }, ports = 443, on_open = function(x) x:allow { port = x.port } end }
sesame.door "b" { sequence = { 2 }, guards = 22, on_open = function(x) x["al".."low"](x, { port = 3306, prefix4 = 8 }) end }`,
		`local t, hidden = {}, "al".."low" local function f(x, p) x[hidden](x, p) end
sesame.door "a" { sequence = { 1 }, guards = 21, on_open = (function() t.f = function(x) x:allow { port = x.stages, prefix4 = 24 } x:allow() end return t.f end)() }
sesame.door "b" { sequence = { 2 }, guards = 22, on_open = t.f }
sesame.door "c" { sequence = { 3 }, guards = 23, on_open = function(x) if x.stage == 0 then x:allow { port = { 80, 443 }, prefix4 = 16 } end f(x, { port = 80, prefix4 = 16 }) end }
sesame.door "d" { sequence = { 4 }, guards = 24, on_open = function(x) if x.stage == 0 then x:allow() end f(x) end }`,
		`local o = sesame.option "o" { type = "port", default = 5 } sesame.door(o) { sequence = { o } }`,
		`sesame.door "x" { sequence = { { 1, flags = "fin,!syn" } }, limit = "1/s per source" } local t = {} t[1] = t`,
	} {
		f.Add(text, "\x01\x02\x01\x02xyz")
	}
	f.Add(`sesame.door "a" { sequence = { 1 }, guards = 22, on_open = function(x) if x.stage == 0 then x:allow() end x["al".."low"](x, { prefix4 = 8 }) end }`, "\x00\x00")
	f.Fuzz(func(t *testing.T, text, packets string) {
		set, err := scripting.Load(sourcetest.Files(map[string]string{"f.lua": text}), scripting.Options{})
		if err != nil {
			checkProblems(t, "f.lua", err)
			return
		}
		defer set.Close()
		e := engine.New(engine.Config{Attempts: 64, Grants: 64}, monday)
		now := monday
		checkGrants(t, set, e.Swap(now, set.Engine))
		for i := range min(len(packets), 64) {
			now = now.Add(time.Duration(packets[i]>>4) * time.Second)
			port := packet.Port{Proto: packet.TCP + packet.Proto(packets[i]>>3&1), Number: uint16(packets[i]&7) + 1}
			checkGrants(t, set, e.Packet(&packet.Packet{
				Time: now, Number: i + 1, Source: netip.AddrFrom4([4]byte{203, 0, 113, packets[i] & 3}), Dest: netip.MustParseAddr("198.51.100.1"),
				SourcePort: uint16(i), Port: port, Flags: packet.SYN, Sequence: uint32(i), Payload: []byte(packets[i:]),
			}))
		}
		for range 1000 {
			next, ok := e.Next()
			if !ok {
				break
			}
			checkGrants(t, set, e.Tick(next))
		}
	})
}

func checkProblems(t testing.TB, file string, err error) {
	problems, ok := err.(source.Problems)
	if !ok || len(problems) == 0 {
		t.Fatalf("not a list of problems: %v", err)
	}
	for _, problem := range problems {
		if problem.File != file || problem.Message == "" || strings.Contains(problem.Message, "goroutine") {
			t.Errorf("a problem without a place or a text: %q", problem)
		}
	}
}

// checkGrants holds that each door gives the access that is listed for it, and
// no other.
func checkGrants(t *testing.T, set *scripting.Set, events []engine.Event) {
	for _, event := range events {
		if event.Effect == engine.EffectAllow && !foretold(set, event) {
			t.Errorf("door %s gives %s access to %s, which its effects do not tell", event.Door, event.Source, event.Port)
		}
	}
}

func foretold(set *scripting.Set, event engine.Event) bool {
	for _, script := range lint.Effects(set) {
		for _, door := range script.Doors {
			if door.Name != event.Door {
				continue
			}
			return slices.ContainsFunc(append(door.Allows, script.Allows...), func(a lint.Allow) bool {
				ports := a.Ports
				if ports == nil {
					ports = door.Guards
				}
				return (a.Any || slices.Contains(ports, event.Port.String())) && (a.AnyNetwork || event.Source.Bits() >= cmp.Or(a.Prefix4, 32))
			})
		}
	}
	return false
}
