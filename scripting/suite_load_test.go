package scripting_test

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"sesame/daemon/packet"
	"sesame/scripting"
	"sesame/scripting/source"
	"sesame/scripting/source/sourcetest"
	"sesame/scripting/spec"
)

// theTests reads a file of tests beside the modules.
func theTests(t *testing.T, text string, modules ...string) []*spec.Test {
	t.Helper()
	files := map[string]string{"a_test.lua": text}
	for i := 0; i < len(modules); i += 2 {
		files[modules[i]] = modules[i+1]
	}
	tests, err := scripting.LoadTests(t.Context(), sourcetest.Files(files), scripting.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return tests
}

var (
	ignorePlaces = cmpopts.IgnoreTypes(source.Place{})
	asData       = cmp.Options{ignorePlaces, cmpopts.EquateComparable(netip.Addr{}, netip.Prefix{}), cmpopts.EquateEmpty()}
)

func address(s string) netip.Addr   { return netip.MustParseAddr(s) }
func network(s string) netip.Prefix { return netip.MustParsePrefix(s) }

func TestAWholeTest(t *testing.T) {
	tests := theTests(t, `
local people = require "people"
sesame.test "b" {
  at = "2026-11-23 09:00 Europe/Madrid", from = people.ana, host = { "198.51.100.1", "2001:db8::1" },
  options = { ttl = "1h", level = 2, big = 1e9, on = true, knocks = { "tcp/7421", 22 }, none = {} },
  facts = { ["203.0.113.9"] = { country = "ES", asn = "AS3352", asn_name = "TELEFONICA" }, ["2001:db8::/32"] = {},
            ["Home.example.net"] = { "203.0.113.9", "::ffff:192.0.2.1" }, ["gone.example.net"] = {} },
  synchronised = false, exits = { audit = 1 },
  { knock = "ssh", opens = "ssh", allows = { port = "tcp/22", ttl = "30s", source = "203.0.113.9" }, logs = "country ES" },
  { knock = { "tcp/1", 2, { "udp/3", payload = "a\0b", delay = "1s" }, { "tcp/4", flags = "syn,ack" } }, from = "2001:db8::9", delay = "2ms",
    refuses = { { "ssh", condition = "hours", times = 2, source = "2001:db8::/64" }, "web" }, misses = { { door = "ssh", reason = "tripwire" } } },
  { scan = { "tcp/1-65535", "udp/53" }, order = "random", times = 3, opens = false },
  { scan = "tcp/22", order = "down", allows = false, runs = false, logs = false },
  { replay = "captures/a.pcap", golden = "captures/a.jsonl" },
  { replay = "captures/a.pcap", min_knocks = 0, fails = { "audit", detail = "exit" }, runs = { "audit", { "audit", undo = true, argv = { "/bin/x", "y" } } } },
  { at = "2026-11-23T10:00:00Z", wait = "5m", facts = { ["home.example.net"] = "198.51.100.7" }, closes = { "ssh", "web" }, logs = { "a", "b" }, allows = { "tcp/22", 443 } },
}`, "lib/people.lua", `return { ana = "203.0.113.9" }`)
	tcp := func(n uint16) packet.Port { return packet.Port{Proto: packet.TCP, Number: n} }
	udp := func(n uint16) packet.Port { return packet.Port{Proto: packet.UDP, Number: n} }
	want := []*spec.Test{{
		Name: "b", File: "a_test.lua", At: time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC), From: address("203.0.113.9"),
		Host:    []netip.Addr{address("198.51.100.1"), address("2001:db8::1")},
		Options: map[string]string{"ttl": "1h", "level": "2", "big": "1000000000", "on": "true", "knocks": "tcp/7421,22", "none": ""},
		Lists:   map[string]bool{"knocks": true, "none": true},
		Facts: []spec.Fact{
			{Network: network("203.0.113.9/32"), Country: "ES", ASN: 3352, ASName: "TELEFONICA"},
			{Network: network("2001:db8::/32")},
			{Host: "home.example.net", Addresses: []netip.Addr{address("203.0.113.9"), address("192.0.2.1")}},
			{Host: "gone.example.net"},
		},
		Unsynchronised: true, Exits: map[string]int{"audit": 1},
		Steps: []spec.Step{
			{Action: spec.Knock, Door: "ssh", Strict: []spec.Expectation{{Event: spec.Opens, Times: 1, Door: "ssh"}},
				Allows: []spec.Allow{{Port: tcp(22), TTL: 30 * time.Second, Source: network("203.0.113.9/32")}}, Logs: []spec.Log{{Text: "country ES"}}},
			{Action: spec.Knock, MinKnocks: 1, From: address("2001:db8::9"), Delay: 2 * time.Millisecond,
				Knocks: []spec.Packet{{Port: tcp(1)}, {Port: tcp(2)}, {Port: udp(3), Payload: []byte("a\x00b"), Delay: time.Second}, {Port: tcp(4), Flags: "syn,ack"}},
				Strict: []spec.Expectation{
					{Event: spec.Refuses, Times: 2, Door: "ssh", Condition: "hours", Source: network("2001:db8::/64")},
					{Event: spec.Refuses, Times: 1, Door: "web"},
					{Event: spec.Misses, Times: 1, Door: "ssh", Reason: "tripwire"},
				}},
			{Action: spec.Scan, MinKnocks: 1, Ports: []spec.PortRange{{Proto: packet.TCP, First: 1, Last: 65535}, {Proto: packet.UDP, First: 53, Last: 53}}, Order: spec.Random, Times: 3},
			{Action: spec.Scan, MinKnocks: 1, Ports: []spec.PortRange{{Proto: packet.TCP, First: 22, Last: 22}}, Order: spec.Down, Times: 1,
				Allows: []spec.Allow{}, Runs: []spec.Run{}, Logs: []spec.Log{}},
			{Action: spec.Replay, Capture: "captures/a.pcap", Golden: "captures/a.jsonl", MinKnocks: 1},
			{Action: spec.Replay, Capture: "captures/a.pcap", Strict: []spec.Expectation{{Event: spec.Fails, Times: 1, Command: "audit", Detail: "exit"}},
				Runs: []spec.Run{{Command: "audit"}, {Command: "audit", Undo: true, Argv: []string{"/bin/x", "y"}}}},
			{At: time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC), Wait: 5 * time.Minute,
				Facts:  []spec.Fact{{Host: "home.example.net", Addresses: []netip.Addr{address("198.51.100.7")}}},
				Strict: []spec.Expectation{{Event: spec.Closes, Times: 1, Door: "ssh"}, {Event: spec.Closes, Times: 1, Door: "web"}},
				Allows: []spec.Allow{{Port: tcp(22)}, {Port: tcp(443)}}, Logs: []spec.Log{{Text: "a"}, {Text: "b"}}},
		},
	}}
	if diff := cmp.Diff(want, tests, asData); diff != "" {
		t.Errorf("the tests (-want +got):\n%s", diff)
	}
	// What is not compared is nil, and what must not be is empty.
	for i, want := range []bool{false, true, true, false} {
		if step := tests[0].Steps[i]; (step.Runs == nil) != want && i > 0 {
			t.Errorf("step %d: runs is nil: %v", i+1, step.Runs == nil)
		}
	}
}

func TestPlacesOfATest(t *testing.T) {
	tests := theTests(t, `sesame.test "a" {
  facts = { ["203.0.113.9"] = {} },
  { knock = { "tcp/1", { "tcp/2" } },
    opens = { "ssh", { "web", times = 2 } }, runs = "x",
    logs = { "l" } },
}`)
	test := tests[0]
	step := test.Steps[0]
	var got []string
	for _, at := range []source.Place{test.Place, test.Facts[0].Place, step.Place, step.Knocks[0].Place, step.Knocks[1].Place, step.Strict[0].Place, step.Strict[1].Place, step.Runs[0].Place, step.Logs[0].Place} {
		got = append(got, strings.TrimPrefix(at.String(), "a_test.lua:"))
	}
	want := []string{"1:1", "2:31", "3:3", "3:15", "3:24", "4:15", "4:22", "4:53", "5:14"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("places (-want +got):\n%s", diff)
	}
}

// The order is that of the files and of the names, whatever a loop does.
func TestOrderOfTests(t *testing.T) {
	files := sourcetest.Files(map[string]string{
		"b_test.lua": `for _, name in ipairs { "z", "m", "a" } do sesame.test(name) { { wait = "1s" } } end`,
		"a_test.lua": `sesame.test "z" { { wait = "1s" } }`,
		"a.lua":      `this is no script`, "lib/c_test.lua": `nor this`, ".d_test.lua": `nor this`,
	})
	for _, tt := range []struct {
		names []string
		want  string
	}{{nil, "a_test.lua:z b_test.lua:a b_test.lua:m b_test.lua:z"}, {[]string{"b_test.lua", "b_test.lua"}, "b_test.lua:a b_test.lua:m b_test.lua:z"}} {
		tests, err := scripting.LoadTests(t.Context(), files, scripting.Options{}, tt.names...)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, one := range tests {
			got = append(got, one.Place.File+":"+one.Name)
		}
		if got := strings.Join(got, " "); got != tt.want {
			t.Errorf("%q gives %s, want %s", tt.names, got, tt.want)
		}
	}
}

// Reading the tests leaves the files as they are, before and after the set is loaded, also when the
// tests name a zone that the set does not.
func TestReadingTestsChangesNoFiles(t *testing.T) {
	files := sourcetest.Files(map[string]string{
		"a.lua":      `sesame.door "d" { sequence = { 1, 2 }, guards = 22, when = sesame.window { days = "mon-sun", to = "23:00", tz = "Europe/Madrid" } }`,
		"a_test.lua": `sesame.test "t" { at = "2026-11-23 09:00 Asia/Tokyo", { at = "2026-11-23 19:00 Europe/Madrid" } }`,
	})
	for range 2 {
		before := files.Sum
		if tests, err := scripting.LoadTests(t.Context(), files, scripting.Options{}); err != nil || len(tests) != 1 {
			t.Fatal(tests, err)
		}
		if files.Sum != before {
			t.Error("the hash changed")
		}
		set, err := scripting.Load(files, scripting.Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer set.Close()
		if paths := files.Referenced(); len(paths) != 1 || !strings.HasSuffix(paths[0], "Europe/Madrid") {
			t.Errorf("the set names %q", paths)
		}
	}
}

func TestNoTests(t *testing.T) {
	tests, err := scripting.LoadTests(t.Context(), sourcetest.Files(map[string]string{"a.lua": ``}), scripting.Options{})
	if tests != nil || err != nil {
		t.Errorf("got %v, %v", tests, err)
	}
}

// A file that does not load leaves the others.
func TestTestsOfOtherFiles(t *testing.T) {
	tests, err := scripting.LoadTests(t.Context(), sourcetest.Files(map[string]string{
		"a_test.lua": `sesame.test "a" { {} }`, "b_test.lua": `sesame.test "b" { { wait = "1s" } }`, "c_test.lua": `sesame.tset "c"`,
	}), scripting.Options{}, "a_test.lua", "b_test.lua", "c_test.lua", "d_test.lua")
	if len(tests) != 1 || tests[0].Name != "b" {
		t.Errorf("got %d tests", len(tests))
	}
	for _, want := range []string{"a_test.lua:1:19: step 1: nothing happens in it", `c_test.lua:1:8: sesame has no "tset": did you mean "test"?`, `d_test.lua: there is no such file of tests in scripts: did you mean "a_test.lua"?`} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got\n%v\nwant %s", err, want)
		}
	}
}

func TestTestsPrint(t *testing.T) {
	var got []string
	print := func(at source.Place, text string) { got = append(got, at.String()+" "+text) }
	_, err := scripting.LoadTests(t.Context(), sourcetest.Files(map[string]string{"a_test.lua": "\nprint('x', 1)"}), scripting.Options{Print: print})
	if diff := cmp.Diff([]string{"a_test.lua:2 x\t1"}, got); diff != "" || err != nil {
		t.Error(diff, err)
	}
}

// What a file of tests may make is bounded.
func TestTestsAreBounded(t *testing.T) {
	for text, want := range map[string]string{
		`for i = 1, 1e9 do sesame.test("t" .. i) { { wait = "1s" } } end`:                                                            "",
		`for i = 1, 2e4 do sesame.test("t" .. i) {} end`:                                                                             "",
		`local t = {} for i = 1, 60000 do t[i] = { wait = "1s" } end sesame.test "t" (t)`:                                            "steps to load",
		`local k = {} for i = 1, 1001 do k[i] = 22 end sesame.test "t" { { knock = k } }`:                                            "expected 1 to 1000 packets, got 1001",
		`local o = {} for i = 1, 60000 do o[i] = "a" end for i = 1, 1e4 do sesame.test("t" .. i) { { wait = "1s", opens = o } } end`: "",
	} {
		tests, err := scripting.LoadTests(t.Context(), sourcetest.Files(map[string]string{"a_test.lua": text}), scripting.Options{})
		if len(tests) != 0 || err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.60s: %d tests, %.200v", text, len(tests), err)
		}
	}
}

func FuzzTests(f *testing.F) {
	f.Add(`sesame.test "t" { at = "2026-11-23 09:00 Europe/Madrid", from = "203.0.113.9", facts = { ["203.0.113.9"] = { country = "ES" } }, { knock = "d", opens = { "d", times = 2 } } }`)
	f.Add(`sesame.test "t" { { scan = { "tcp/1-2" }, order = "up", times = 2, opens = false, allows = { { port = 22 } }, runs = { { "x", undo = true, argv = { "y" } } }, logs = {} } }`)
	f.Add(`sesame.test "t" { options = { a = { 1 } }, exits = { b = 2 }, host = {}, { replay = "x", min_knocks = 1, golden = "y" }, { wait = "1s", closes = { { "d", reason = "expired" } } } }`)
	f.Fuzz(func(t *testing.T, text string) {
		tests, err := scripting.LoadTests(t.Context(), sourcetest.Files(map[string]string{"f_test.lua": text}), scripting.Options{})
		if err != nil {
			checkProblems(t, "f_test.lua", err)
		}
		for _, test := range tests {
			if test.Name == "" || len(test.Steps) == 0 || test.Place.Line == 0 {
				t.Errorf("a test is not whole: %+v", test)
			}
		}
	})
}

// The largest and the smallest that are allowed.
func TestBoundsOfTestsAreInside(t *testing.T) {
	tests := theTests(t, `
local packets, ranges, steps = {}, {}, {}
for i = 1, 1000 do packets[i], steps[i] = i, { wait = "1s" } end
for i = 1, 64 do ranges[i] = "tcp/" .. i .. "-" .. i end
sesame.test "steps" (steps)
sesame.test "others" {
  facts = { ["home.a1"] = { "203.0.113.9" } }, exits = { a = 0, b = 255 },
  { knock = packets, opens = { "a", times = 1000000 } }, { scan = ranges, times = 1000 }, { scan = "tcp/65535-65535" }, { scan = "udp/65535" },
  { replay = ("x"):rep(4095), min_knocks = 1e9 }, { knock = { { "udp/1", payload = ("x"):rep(65507) } }, logs = ("x"):rep(1024) },
}`)
	if others := tests[0]; len(others.Steps[0].Knocks) != 1000 || len(others.Steps[1].Ports) != 64 || others.Steps[1].Times != 1000 || others.Facts[0].Host != "home.a1" {
		t.Errorf("got %+v", others)
	}
	if len(tests[1].Steps) != 1000 {
		t.Errorf("%d steps", len(tests[1].Steps))
	}
}

// TestTestsThatAreNotRead ends the time while a file is read. What is wrong in it comes first.
func TestTestsThatAreNotRead(t *testing.T) {
	const one = `sesame.test "it" { { knock = "ssh", opens = "ssh" } }`
	for _, tt := range []struct {
		name, first, second string
		tests               int
		unread              string
		wrong               bool
	}{
		{"in time", one, one, 3, "", false},
		{"in the first", "print 'over' " + one, one, 1, "b_test.lua c_test.lua", false},
		{"in the second", one, "print 'over' " + one, 2, "c_test.lua", false},
		{"in the first, which is wrong", "print 'over' error 'no'", one, 0, "", true},
		{"in the first, and the second is wrong", "print 'over' " + one, "?", 1, "b_test.lua c_test.lua", false},
	} {
		ctx, end := context.WithCancelCause(t.Context())
		over := errors.New("the time is over")
		opt := scripting.Options{Print: func(source.Place, string) { end(over) }}
		files := sourcetest.Files(map[string]string{"a_test.lua": tt.first, "b_test.lua": tt.second, "c_test.lua": one})
		tests, err := scripting.LoadTests(ctx, files, opt)
		end(nil)
		unread, late := errors.AsType[*scripting.Unread](err)
		names := ""
		if late {
			names = strings.Join(unread.Files, " ")
		}
		if len(tests) != tt.tests || names != tt.unread || (err != nil && !late) != tt.wrong || late != errors.Is(err, over) {
			t.Errorf("%s: %d tests, not read %q, %v", tt.name, len(tests), names, err)
		}
	}
}
