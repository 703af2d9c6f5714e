package suite_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sesame/scripting"
	"sesame/scripting/source"
	"sesame/simulate/suite"
)

// report runs tests of a script. Further files are names and texts in turn.
func report(t *testing.T, script, tests string, change func(*suite.Config), files ...string) *suite.Report {
	t.Helper()
	dir := t.TempDir()
	files = append(files, "ssh.lua", script, "ssh_test.lua", tests)
	for i := 0; i < len(files); i += 2 {
		if err := os.WriteFile(filepath.Join(dir, files[i]), []byte(files[i+1]), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	read, err := source.Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	all, err := scripting.LoadTests(t.Context(), read, scripting.Options{})
	if err != nil {
		t.Fatal(err)
	}
	c := suite.Config{Files: read, Tests: all}
	if change != nil {
		change(&c)
	}
	return suite.Run(context.Background(), c)
}

// text shows results as a test compares them.
func text(r *suite.Report) string {
	var b strings.Builder
	for _, result := range r.Results {
		fmt.Fprintf(&b, "%s: %v %s\n", result.Test.Name, result.Outcome, result.Why)
		for _, f := range result.Failures {
			fmt.Fprintf(&b, "  %v: %s\n", f.Place, f.Message)
			for _, part := range []struct{ name, lines string }{{"expected", f.Expected}, {"came", f.Came}, {"why", strings.Join(f.Explanation, "\n")}} {
				if part.lines != "" {
					fmt.Fprintf(&b, "    %s: %s\n", part.name, strings.ReplaceAll(part.lines, "\n", "\n      "))
				}
			}
		}
	}
	return b.String()
}

// read returns a file of testdata.
func read(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// TestFailures compares all that is said of tests that fail, word by word: people read it.
func TestFailures(t *testing.T) {
	got := text(report(t, read(t, "ssh.lua"), read(t, "failures.lua"), nil))
	if *update {
		if err := os.WriteFile("testdata/failures.txt", []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(read(t, "failures.txt"), got); diff != "" {
		t.Errorf("results (-want +got):\n%s", diff)
	}
}

// TestPass has tests that pass. Each is changed in one place, and then it fails.
func TestPass(t *testing.T) {
	script := read(t, "ssh.lua")
	for _, tt := range []struct{ name, test, change, to string }{
		{"a knock opens", `{ knock = "ssh", opens = { "ssh", source = "203.0.113.9" } }`, "203.0.113.9", "203.0.113.8"},
		{"a network of sources", `{ knock = "ssh", opens = { "ssh", source = "203.0.113.0/24" } }`, "113.0/24", "112.0/24"},
		{"ttl", `{ knock = "ssh", opens = "ssh", allows = { port = "tcp/22", ttl = "30s" } }`, "30s", "31s"},
		{"allowed port", `{ knock = "ssh", opens = "ssh", allows = "tcp/22" }`, `"tcp/22"`, `"udp/22"`},
		{"nothing allowed", `{ knock = { "tcp/7421" }, allows = false }`, "allows = false", `allows = "tcp/22"`},
		{"the end of a grant", `{ knock = "ssh", opens = "ssh" }, { wait = "30s", closes = { "ssh", reason = "expired" } }`, "wait = \"30s\"", "wait = \"29s\""},
		{"the reason of an end", `{ knock = "ssh", opens = "ssh" }, { wait = "30s", closes = { "ssh", reason = "expired" } }`, `"expired"`, `"window_ended"`},
		{"two steps are one knock", `{ knock = { "tcp/7421", "udp/9133" } }, { knock = { "tcp/2904", "tcp/6117" }, opens = "ssh" }`, "6117", "6118"},
		{"a delay", `{ knock = "ssh", delay = "3s", opens = "ssh" }`, `"3s"`, `"4s"`},
		{"the delay of one packet", `{ knock = { { "tcp/7421", delay = "9s" }, "udp/9133", "tcp/2904", "tcp/6117" }, opens = "ssh" }`, `"9s"`, `"10s"`},
		{"a delay after the step", `{ knock = { { "tcp/7421", delay = "9s" } } }, { knock = { "udp/9133", "tcp/2904", "tcp/6117" }, opens = "ssh" }`, `"9s"`, `"11s"`},
		{"an hour", `at = "2026-11-23 18:30 Europe/Madrid", facts = { ["203.0.113.9"] = { country = "ES" } }, { knock = "files", opens = "files" }, { wait = "30m", closes = { "files", reason = "window_ended" } }`, "18:30", "17:30"},
		{"a time zone", `at = "2026-11-23 18:30 Europe/Madrid", facts = { ["203.0.113.9"] = { country = "ES" } }, { knock = "files", opens = "files" }`, "Madrid", "Lisbon"},
		{"at in a step", `{ at = "2026-11-23 18:30 Europe/Madrid", knock = "files", refuses = { "files", condition = "iberia" }, facts = { ["203.0.113.9"] = { country = "FR" } } }`, `"FR"`, `"PT"`},
		{"facts change", `at = "2026-11-23 09:00 UTC", facts = { ["203.0.113.9"] = { country = "FR" } }, { knock = "files", refuses = "files" }, { knock = "files", facts = { ["203.0.113.9"] = { country = "PT" } }, opens = "files" }`, `"PT"`, `"FR"`},
		{"the longest network", `at = "2026-11-23 09:00 UTC", facts = { ["203.0.113.0/24"] = { country = "FR" }, ["203.0.113.9"] = { country = "ES" } }, { knock = "files", opens = "files" }`, `["203.0.113.9"]`, `["203.0.113.8"]`},
		{"no fact", `at = "2026-11-23 09:00 UTC", { knock = "files", refuses = { "files", reason = "no_data" } }`, "no_data", "when"},
		{"a part of a detail", `{ at = "2026-11-29 09:00 Europe/Madrid", knock = "files", refuses = { "files", detail = "holds again Mon" }, facts = { ["203.0.113.9"] = { country = "ES" } } }`, "again Mon", "again Tue"},
		{"the clock", `synchronised = false, { knock = "files", facts = { ["203.0.113.9"] = { country = "ES" } }, refuses = { "files", reason = "clock" } }`, "false", "true"},
		{"a payload", `{ knock = { { "udp/62201", payload = "a" }, { "udp/62201", payload = "b" } }, opens = { "beacon", times = 2 } }`, `"b"`, `"a"`},
		{"a command", `{ knock = { { "udp/62201", payload = "a" } }, opens = "beacon", runs = { "audit", argv = { "/usr/local/bin/audit", "203.0.113.9" } }, logs = "beacon of 1" }`, `113.9" }`, `113.8" }`},
		{"an undo", `{ knock = "pass", opens = "pass", runs = "pass" }, { wait = "1m", closes = "pass", runs = { "pass", undo = true } }`, "undo = true", "undo = false"},
		{"no undo", `{ knock = "pass", opens = "pass", runs = "pass" }`, `runs = "pass"`, `runs = { "pass", undo = true }`},
		{"the source is where knocks go", `from = "192.0.2.1", { knock = "ssh", opens = "ssh" }`, `from = "192.0.2.1", {`, `from = "192.0.2.1", host = "192.0.2.1", {`},
		{"an exit status", `exits = { audit = 1 }, { knock = { { "udp/62201", payload = "a" } }, opens = "beacon", fails = { "audit", door = "beacon", detail = "exit status 1" } }`, "audit = 1", "audit = 2"},
		{"a fault", `{ knock = { { "udp/62201", payload = "fail" } }, refuses = { "beacon", reason = "script_error", detail = "no" } }`, `"fail"`, `"fall"`},
		{"a fault in on_close", `{ knock = "closer", opens = "closer" }, { wait = "10s", closes = "closer", fails = { door = "closer" } }`, `, fails = { door = "closer" }`, ``},
		{"a miss", `{ knock = { "tcp/7421", "udp/9133", "tcp/6117" }, misses = { "ssh", reason = "out_of_order" } }`, `, misses = { "ssh", reason = "out_of_order" }`, ``},
		{"no miss", `{ knock = { "tcp/7421", "udp/9133" }, misses = false }, { wait = "1m", misses = { "ssh", reason = "total_timeout" } }`, "1m", "1s"},
		{"a host", `host = "192.0.2.7", { knock = "ssh", opens = "ssh" }`, `"192.0.2.7", { knock`, `"2001:db8::7", { knock`},
		{"a sweep up", `{ scan = "tcp/1-65535", delay = "1ms" }`, `scan = "tcp/1-65535"`, `knock = "ssh"`},
		{"a sweep down", `{ scan = "tcp/1-10000", order = "down", delay = "1ms", opens = false }`, `scan = "tcp/1-10000", order = "down"`, `knock = "ssh"`},
		{"a random scan", `{ scan = { "tcp/1-10000", "udp/1-100" }, order = "random", times = 2, delay = "1us" }`, `scan = { "tcp/1-10000", "udp/1-100" }, order = "random", times = 2`, `knock = "ssh"`},
		{"a scan in the order of a knock", `{ scan = { "tcp/1111", "tcp/2222", "tcp/3334" }, opens = "closer" }`, `opens`, `order = "down", opens`},
		{"the knocks backwards", `{ knock = "ssh", order = "down", opens = false }`, "down", "up"},
		{"one of them backwards", `{ knock = "beacon", order = "up", opens = "beacon" }`, `"up", opens`, `"down", refuses`},
		{"IPv6", `from = "2001:db8::9", { knock = "ssh", opens = { "ssh", source = "2001:db8::/32" } }`, `from = "2001:db8::9", `, ``},
		{"every source is its own", `{ knock = { "tcp/7421", "udp/9133" } }, { knock = { "tcp/2904", "tcp/6117" }, from = "198.51.100.7" }`, `, from = "198.51.100.7"`, ``},
	} {
		t.Run(tt.name, func(t *testing.T) {
			changed := strings.Replace(tt.test, tt.change, tt.to, 1)
			if changed == tt.test {
				t.Fatal("nothing is changed")
			}
			r := report(t, script, "sesame.test \"it\" { "+tt.test+" }\nsesame.test \"other\" { "+changed+" }", nil)
			if got := r.Results[0]; got.Outcome != suite.Passed {
				t.Errorf("it does not pass:\n%s", text(r))
			}
			if got := r.Results[1]; got.Outcome != suite.Failed || len(got.Failures) == 0 {
				t.Errorf("changed, it does not fail:\n%s", text(r))
			}
		})
	}
}

// TestTheStatusOfAnUndo: what a test gives is the status of the command, and not of its undo.
func TestTheStatusOfAnUndo(t *testing.T) {
	const script = `local pass = sesame.command { "/sbin/pass", undo = { "/sbin/unpass" }, status = "any", ttl = "1m" }
sesame.door "pass" { sequence = { "tcp/5111", "tcp/6222", "tcp/7334" }, on_open = function(attempt) attempt:exec(pass) end }`
	r := report(t, script, `sesame.test "it" { exits = { pass = 1 }, { knock = "pass", opens = "pass", fails = "pass" },
  { wait = "1m", closes = "pass", runs = { "pass", undo = true } } }`, nil)
	if !r.OK() {
		t.Error(text(r))
	}
}

// TestOneTimeDoor knocks at a door by its name. It sends the sequence that the door expects then,
// whatever was used before, and by whom.
func TestOneTimeDoor(t *testing.T) {
	const (
		script  = `sesame.door "ssh" { one_time_sequences = "once.txt", guards = "tcp/22", ttl = "30s" }`
		opens   = `{ knock = "ssh", opens = "ssh" }`
		first   = `{ knock = { "tcp/7001", "udp/7002", "tcp/7003", "tcp/7004" }, opens = "ssh" }`
		another = `{ knock = { "tcp/8001", "udp/8002", "tcp/8003", "tcp/8004" }, opens = "ssh" }`
	)
	for _, tt := range []struct{ name, steps, want string }{
		{"twice by its name", opens + `, { wait = "1h", closes = "ssh" }, ` + opens, ""},
		{"at once", opens + ", " + opens, ""},
		{"by ports and by its name", first + ", " + opens, ""},
		{"by its name and by ports", opens + ", " + another, ""},
		{"half of one", `{ knock = { "tcp/7001", "udp/7002" } }, { wait = "1m", misses = "ssh" }, ` + opens + ", " + another, ""},
		{"a used one", opens + ", " + strings.Replace(first, `, opens = "ssh"`, "", 1), ""},
		{"more than there are", opens + ", " + opens + ", " + opens, `knock = "ssh": no sequence is left that was not used`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := report(t, script, `sesame.test "it" { `+tt.steps+` }`, nil, "once.txt", "7001,7002:udp,7003,7004\n8001,8002:udp,8003,8004\n")
			if got := text(r); r.OK() != (tt.want == "") || !strings.Contains(got, tt.want) {
				t.Errorf("got %swant %q", got, tt.want)
			}
		})
	}
}

// TestStepsThatProveNothing knock at no door and nothing comes of them: they could not fail.
func TestStepsThatProveNothing(t *testing.T) {
	script := read(t, "ssh.lua")
	for _, tt := range []struct{ name, steps, want string }{
		{"old ports", `{ knock = { "tcp/7000", "udp/7001" }, opens = false }`, "0 of 2 packets were to a port of a door, expected at least 1 (min_knocks)"},
		{"a scan elsewhere", `{ scan = "tcp/20000-20009" }`, "0 of 10 packets were to a port of a door"},
		{"the other protocol", `{ knock = { "udp/7421" } }`, "0 of 1 packet were"},
		{"it is said", `{ knock = { "tcp/7000" }, min_knocks = 0 }, { scan = "tcp/20000-20009", min_knocks = 0 }`, ""},
		{"a port of a door", `{ knock = { "tcp/7000", "tcp/7421" } }`, ""},
		{"other flags", `{ knock = { { "tcp/7421", flags = "ack" } } }`, ""},
		{"more than there are", `{ knock = { "tcp/7421", "tcp/7000" }, min_knocks = 2 }`, "1 of 2 packets was to a port of a door, expected at least 2 (min_knocks)\n    why: a door has lost a knock"},
		{"a knock that the door has lost", `{ knock = { "tcp/7421", "udp/9133", "tcp/2904", "tcp/6117", "tcp/7000" }, min_knocks = 5, opens = "ssh" }`, "4 of 5 packets were to a port of a door, expected at least 5 (min_knocks)\n    why: a door has lost a knock"},
		{"all that the door has", `{ knock = { "tcp/7421", "udp/9133", "tcp/2904", "tcp/6117", "tcp/7000" }, min_knocks = 4, opens = "ssh" }`, ""},
		{"the packets of the step alone", `{ knock = { "tcp/7421" } }, { knock = { "tcp/7000" } }`, "ssh_test.lua:1:48: 0 of 1 packet"},
		{"a wrong port that ends an attempt", `{ knock = { "tcp/7421", "udp/9133" } }, { knock = { "tcp/2904", "tcp/7" }, misses = false }`, ""},
		{"something comes of them", `{ knock = "ssh", opens = "ssh" }, { knock = { { "tcp/9", delay = "40s" }, "tcp/9" }, closes = "ssh" }`, ""},
		{"something comes, and knocks are wanted", `{ knock = "ssh", opens = "ssh" }, { knock = { { "tcp/9", delay = "40s" }, "tcp/9" }, min_knocks = 2, closes = "ssh" }`, "0 of 2 packets were to a port of a door, expected at least 2 (min_knocks)\n    why: a step that knocks at no door proves nothing"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := report(t, script, `sesame.test "it" { `+tt.steps+` }`, nil)
			if got := text(r); r.OK() != (tt.want == "") || !strings.Contains(got, tt.want) {
				t.Errorf("got %swant %q", got, tt.want)
			}
		})
	}
}

// TestAdviceOnFacts: a test of which nobody knows the country gets the line to write.
func TestAdviceOnFacts(t *testing.T) {
	const script = `local iberia, home = sesame.country { "ES" }, sesame.hosts { "home.example.net" }
local provider = sesame.asn { 3352 }
sesame.door "d" { sequence = { "tcp/4519", "udp/8204", "tcp/3127", "udp/6990" }, guards = "tcp/445", when = sesame.any { iberia, home, provider } }`
	got := text(report(t, script, `sesame.test "it" { { knock = "d", opens = "d" } }`, nil))
	for _, want := range []string{
		`such as facts = { ["203.0.113.9"] = { country = "ES" } }`, `such as facts = { ["home.example.net"] = { "203.0.113.9" } }`, `such as facts = { ["203.0.113.9"] = { asn = 3352 } }`,
	} {
		if strings.Count(got, want) != 1 {
			t.Errorf("got %swant %s", got, want)
		}
	}
	passes := `facts = { ["203.0.113.9"] = { country = "FR", asn = 1 }, ["home.example.net"] = {} }, { knock = "d", opens = "d" }`
	if got := text(report(t, script, `sesame.test "it" { `+passes+` }`, nil)); strings.Contains(got, "such as facts") {
		t.Errorf("all is known: %s", got)
	}
}
