package scripting_test

import (
	"strings"
	"testing"

	"sesame/scripting"
	"sesame/scripting/source"
	"sesame/scripting/source/sourcetest"
)

// refuse loads a file with one test for each text between its braces, and looks for the message.
func refuse(t *testing.T, mistakes map[string]string) {
	t.Helper()
	for text, want := range mistakes {
		files := map[string]string{"t_test.lua": `sesame.test "t" { ` + text + ` }`}
		tests, err := scripting.LoadTests(t.Context(), sourcetest.Files(files), scripting.Options{})
		if err == nil || len(tests) != 0 || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), "t_test.lua:") {
			t.Errorf("%s: got\n%v\nwant\n%s", text, err, want)
		}
	}
}

// Each mistake of what a step does has its place and a next step.
func TestWrongSteps(t *testing.T) {
	refuse(t, map[string]string{
		`{ knok = "ssh" }`:                                        `1:21: unknown option "knok" in step 1: did you mean "knock"?`,
		`{ knock = "ssh", opnes = "ssh" }`:                        `1:36: unknown option "opnes" in step 1: did you mean "opens"?`,
		`{ knock = "ssh", scan = "tcp/1" }`:                       "1:43: scan: the step has two actions, knock and scan: write a step for each",
		`{ knock = "tcp/22" }`:                                    `1:29: knock: "tcp/22" is a port: expected the name of a door, or a list such as { "tcp/22" }`,
		`{ knock = { "udp/1", payload = "x" } }`:                  `1:29: knock: a packet with more than a port is a table in the list: write { { "udp/62201", payload = "..." } }`,
		`{ knock = { { payload = "x" } } }`:                       `a packet: a packet has one port, got 0`,
		`{ knock = { { "udp/1", "udp/2" } } }`:                    `a packet: a packet has one port, got 2`,
		`{ knock = {} }`:                                          "knock: expected 1 to 1000 packets, got 0",
		`{ knock = { "tcp/70000" } }`:                             "1:31: knock:",
		`{ knock = true }`:                                        `knock: expected the name of a door, or a list of packets such as { "tcp/7421", "udp/9133" }, got true`,
		`{ knock = { { "udp/1", flags = "syn" } } }`:              "1:50: flags: udp/1 has no TCP flags: leave flags out",
		`{ knock = { { "tcp/1", flags = "syn,!ack" } }}`:          `flags: "syn,!ack" is what a door asks for: write the flags that the packet has, such as "syn,ack"`,
		`{ knock = { { "tcp/1", flags = "any" } } }`:              `flags: "any" is what a door asks for`,
		`{ knock = { { "tcp/1", flags = "synn" } } }`:             `flags: unknown TCP flag "synn": did you mean "syn"?`,
		`{ knock = { { "tcp/1", payload = ("x"):rep(65508) } } }`: "payload: expected at most 65507 bytes, got 65508",
		`{ knock = { "tcp/1", nil, "tcp/3" } }`:                   "knock: entry 2 of the list is nil: leave it out",
		`{ opens = "ssh" }`:                                       `1:19: step 1: nothing happens in it: give it knock, scan or replay, or let time pass with wait = "31s" or at = TIME`,
		`{}`:                                                      "nothing happens in it",
		`"ssh"`:                                                   `1:19: step 1: expected a table of options, got the string "ssh": write step 1 { ... }`,
		`{ wait = "1s", from = "203.0.113.9" }`:                   "1:41: from: it is for a step with knock or scan: leave it out",
		`{ wait = "1s", times = 2 }`:                              "times: it is for a step with scan: leave it out",
		`{ knock = "a", golden = "x" }`:                           "golden: it is for a step with replay: leave it out",
		`{ knock = "a", min_knocks = 1 }`:                         "min_knocks: the name of a door sends its knocks: leave it out",
		`{ wait = "1s", min_knocks = 1 }`:                         "min_knocks: it is for a step with knock or scan or replay: leave it out",
		`{ wait = "1s", order = "up" }`:                           "order: it is for a step with scan or knock: leave it out",
		`{ knock = { "tcp/1" }, order = "down" }`:                 "1:50: order: it is for a scan, or for the knocks of a door: write the packets of the list in the order in which they are sent",
		`{ knock = "a", order = "random" }`:                       `1:42: order: a random order of the knocks may be the right one: write "down"`,
		`{ replay = "x", delay = "1s" }`:                          "delay: it is for a step with knock or scan",
		`{ scan = "tcp/1", order = "upp" }`:                       `order: unknown value "upp": did you mean "up"?`,
		`{ scan = "tcp/1", times = 0 }`:                           "times: expected a whole number from 1 to 1000, got the number 0",
		`{ scan = "tcp/1", times = 1001 }`:                        "times: expected a whole number from 1 to 1000",
		`{ scan = "tcp/9-1" }`:                                    `scan: "tcp/9-1" is no range of ports: expected a port from 9 to 65535 behind the -`,
		`{ scan = "tcp/1-65536" }`:                                "expected a port from 1 to 65535 behind the -",
		`{ scan = "1-5" }`:                                        `scan: "1-5" is no range of ports: expected one such as "tcp/1-65535" or "udp/53"`,
		`{ scan = {} }`:                                           "scan: expected 1 to 64 ranges of ports, got 0",
		`{ replay = "" }`:                                         `replay: expected a path such as "captures/ssh-opens.pcap"`,
		`{ replay = ("x"):rep(4096) }`:                            "replay: expected a path",
		`{ replay = "a\0b" }`:                                     "replay: expected a path",
		`{ replay = "a", min_knocks = -1 }`:                       "1:48: min_knocks: expected a whole number from 0",
		`{ wait = 31 }`:                                           `1:28: wait: expected a duration in a string, got the number 31: write "31s"`,
		`{ at = "2026-11-23 09:00" }`:                             `1:26: at: "2026-11-23 09:00" has no time zone`,
		`{ at = "2026-03-29 02:30 Europe/Madrid" }`:               "does not exist, because the clock goes forward there",
		`{ at = "2026-11-23 09:00 Europe/Madird" }`:               `unknown time zone "Europe/Madird": did you mean "Europe/Madrid"?`,
	})
}

func TestWrongExpectations(t *testing.T) {
	refuse(t, map[string]string{
		`{ knock = "a", opens = true }`:                                 `1:42: opens: expected the name of a door, a table such as { "ssh", times = 2 }, or a list of these, got true`,
		`{ knock = "a", opens = {} }`:                                   "opens: the list is empty: write opens = false when there must be none, or leave it out",
		`{ knock = "a", opens = { "a", "b", times = 2 } }`:              "opens: the name of a door stands once in a table with other keys, got 2: write a table for each",
		`{ knock = "a", opens = { "a", door = "b" } }`:                  "the door stands in it twice, once as door",
		`{ knock = "a", opens = { "a", reason = "x" } }`:                `unknown option "reason" in opens`,
		`{ knock = "a", opens = { "a", times = 0 } }`:                   "times: expected a whole number from 1 to 1000000",
		`{ knock = "a", refuses = { "a", reason = "hours" } }`:          `1:60: reason: unknown value "hours"`,
		`{ knock = "a", refuses = { "a", reason = "nodata" } }`:         `did you mean "no_data"?`,
		`{ knock = "a", misses = { "a", condition = "x" } }`:            `unknown option "condition" in misses`,
		`{ knock = "a", closes = { "a", reason = "when" } }`:            `reason: unknown value "when"`,
		`{ knock = "a", refuses = { "a", detail = "" } }`:               "detail: expected a text, got an empty one: leave it out, and anything will do",
		`{ knock = "a", logs = "" }`:                                    "1:41: logs: expected a text, got an empty one",
		`{ knock = "a", logs = '' }`:                                    "1:34: logs: expected a text, got an empty one",
		`{ knock = "a", logs = ("x"):rep(1025) }`:                       "logs: expected at most 1024 bytes, got 1025",
		`{ knock = "a", refuses = { "a", source = "203.0.113.1/24" } }`: "source:",
		`{ knock = "a", fails = { "x", "y", door = "d" } }`:             "fails: the name of a command stands once",
		`{ knock = "a", allows = { prot = 1 } }`:                        `unknown option "prot" in allows: did you mean "port"?`,
		`{ knock = "a", allows = { ttl = 3600 } }`:                      `ttl: expected a duration in a string, got the number 3600: write "3600s" or "1h"`,
		`{ knock = "a", runs = { "a", "b", undo = true } }`:             "runs: a table with other keys has one command, got 2",
		`{ knock = "a", runs = 1 }`:                                     `runs: expected the name of a command`,
		`{ knock = "a", runs = { "a", argv = "x" } }`:                   "argv: expected a list of strings",
	})
}

func TestWrongTests(t *testing.T) {
	refuse(t, map[string]string{
		`at = 12, { wait = "1s" }`:                                                   `1:24: at: expected a time such as "2026-11-23 09:00 Europe/Madrid", got the number 12`,
		`from = "203.0.113.0/24", { wait = "1s" }`:                                   `from: "203.0.113.0/24" is a network: expected one address`,
		`from = "127.0.0.1", { wait = "1s" }`:                                        `1:26: from: 127.0.0.1 cannot knock: no packet from outside has this source, and one that has it is never a knock`,
		`{ knock = "a", from = "0.0.0.0" }`:                                          `1:41: from: 0.0.0.0 cannot knock`,
		`{ knock = "a", from = "ff02::1" }`:                                          `1:41: from: ff02::1 cannot knock`,
		`host = { "x" }, { wait = "1s" }`:                                            `host: "x" is not an address`,
		`options = { a = { "b,c" } }, { wait = "1s" }`:                               `"b,c" has a comma`,
		`options = { a = print }, { wait = "1s" }`:                                   "a: expected a string, a number, true or false, or a list of them, got a built-in function",
		`options = { 1 }, { wait = "1s" }`:                                           `options: expected a table such as { ttl = "30s" }, got a table with the key 1`,
		`exits = { audit = 256 }, { wait = "1s" }`:                                   "audit: expected a whole number from 0 to 255",
		`exits = "x", { wait = "1s" }`:                                               "exits: expected a table such as { audit = 1 }",
		`synchronised = 1, { wait = "1s" }`:                                          "synchronised: expected true or false",
		`facts = { ["203.0.113.9"] = { contry = "ES" } }, { wait = "1s" }`:           `unknown option "contry" in 203.0.113.9: did you mean "country"?`,
		`facts = { ["203.0.113.9"] = { country = "UK" } }, { wait = "1s" }`:          `"GB"`,
		`facts = { ["203.0.113.9"] = { asn = 0.5 } }, { wait = "1s" }`:               "asn:",
		`facts = { ["203.0.113.9"] = { asn_name = "x" } }, { wait = "1s" }`:          "asn_name needs asn beside it",
		`facts = { ["203.0.113.300"] = {} }, { wait = "1s" }`:                        "203.0.113.300",
		`facts = { localhost = {} }, { wait = "1s" }`:                                `localhost: "localhost" is not the name of a host in full`,
		`facts = { ["home.example.net"] = { country = "ES" } }, { wait = "1s" }`:     `got a table with the key "country"`,
		`facts = { ["203.0.113.9"] = {}, ["203.0.113.9/32"] = {} }, { wait = "1s" }`: "it stands twice in facts",
		`at = "2026-11-23 09:00 UTC", at = "2026-11-23 09:00 UTC", { wait = "1s" }`:  `at stands twice in sesame.test "t"`,
		``:                     `1:1: sesame.test "t": it has no steps: write what happens, such as { knock = "ssh", from = "203.0.113.9", opens = "ssh" }`,
		`nil, { wait = "1s" }`: "entry 1 of the list is nil",
	})
}

// Mistakes around tests, as whole files.
func TestWrongFilesOfTests(t *testing.T) {
	for text, want := range map[string]string{
		`sesame.test "t"`:                    `t_test.lua:1:1: sesame.test "t" has no table of options: write sesame.test "t" { ... }`,
		`sesame.test {}`:                     `expected a name and then a table: write sesame.test "NAME" { ... }`,
		`sesame.test "" { { wait = "1s" } }`: "expected 1 to 127 bytes, got 0",
		`sesame.test "t" { { wait = "1s" } }
sesame.test "t" { { wait = "1s" } }`: `t_test.lua:2:1: sesame.test "t": a test of this name is at t_test.lua:1:1 already: give each a name of its own`,
		`local x = math.random() sesame.test "t" { { wait = "1s" } }`: "t_test.lua:1: math.random is for functions such as on_open",
		`sesame.door "d" { sequence = { 1 } }`:                        `t_test.lua:1:8: sesame.door is for scripts, and this file has tests, which have sesame.test alone: move it to a script`,
		`local w = sesame.window { tz = "UTC" }`:                      "sesame.window is for scripts",
		`require "nothing"`:                                           "there is no lib/nothing.lua",
		`for _, user in ipairs { { name = "ana", wait = 1 } } do sesame.test("of " .. user.name) { { wait = user.wait } } end`: `sesame.test "of ana": wait: expected a duration`,
		`sesame.test "t" { {`: "t_test.lua:",
	} {
		_, err := scripting.LoadTests(t.Context(), sourcetest.Files(map[string]string{"t_test.lua": text}), scripting.Options{})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got\n%v\nwant\n%s", text, err, want)
		}
	}
	_, err := scripting.Load(sourcetest.Files(map[string]string{"a.lua": `sesame.test "t" { }`}), scripting.Options{})
	const moved = "a.lua:1:8: sesame.test is for tests, which stand in a file of their own beside the script: move it to a file whose name ends in _test.lua"
	if err == nil || err.Error() != moved {
		t.Errorf("got\n%v\nwant\n%s", err, moved)
	}
}

func TestOnlyTests(t *testing.T) {
	_, err := scripting.Load(sourcetest.Files(map[string]string{"a_test.lua": ``}), scripting.Options{})
	const want = "no scripts in scripts, only tests such as a_test.lua: put the scripts that they test beside them"
	if err == nil || err.Error() != want {
		t.Errorf("got\n%v\nwant\n%s", err, want)
	}
	_, err = scripting.Load(source.Of("scripts", "a_test.lua", []source.File{{Path: "a_test.lua"}}), scripting.Options{})
	if err == nil || err.Error() != "a_test.lua has tests, and is no script: name a.lua, or the directory" {
		t.Errorf("got\n%v", err)
	}
}
