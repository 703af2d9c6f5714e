package suite_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"sesame/scripting"
	"sesame/scripting/source"
	"sesame/simulate/suite"
)

// TestBounds has tests that would take too much. Each ends as a failure that says so.
func TestBounds(t *testing.T) {
	const noisy = `
sesame.listen "l" { on = "udp/1", on_knock = function(k) for i = 1, 30 do k:log(("x"):rep(20000)) end end }
sesame.listen "m" { on = "udp/2", on_knock = function(k) for i = 1, 30 do k:log("x") end end }
sesame.handler("again", function(t) t:after("1s", "again") end)
sesame.listen "n" { on = "udp/3", on_knock = function(k) k:after("1s", "again") end }
`
	decades := capture(t, morning, "udp/3") + capture(t, morning.AddDate(30, 0, 0), "udp/3")[24:]
	for _, tt := range []struct{ name, test, want string }{
		{"packets", `{ scan = { "tcp/1-65535", "udp/1-65535" }, times = 1000, delay = "1us" }`, "more than 5,000,000 packets"},
		{"events", `{ scan = "udp/2", times = 400, delay = "1s" }`, "more than 10,000 events"},
		{"texts", `{ scan = "udp/1", times = 330, delay = "1s" }`, "4 MiB of texts"},
		{"timers in a wait", `{ scan = "udp/3" }, { wait = "87600h" }`, "more than 100,000,000 steps"},
		{"timers before a packet", `{ scan = "udp/3", times = 2, delay = "87600h" }`, "more than 100,000,000 steps"},
		{"timers between the packets of a capture", `{ replay = "decades.pcap" }`, "more than 100,000,000 steps"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := report(t, noisy, `sesame.test "it" { `+tt.test+` }`, nil, "decades.pcap", decades)
			if got := text(r); r.Results[0].Outcome != suite.Failed || !strings.Contains(got, tt.want) {
				t.Errorf("got %swant %q", got, tt.want)
			}
		})
	}
}

// ending is a context that ends when its error was asked for often enough.
type ending struct{ left atomic.Int64 }

func (c *ending) Deadline() (time.Time, bool) { return time.Time{}, false }
func (c *ending) Done() <-chan struct{}       { return nil }
func (c *ending) Value(any) any               { return nil }

func (c *ending) Err() error {
	if c.left.Add(-1) < 0 {
		return context.DeadlineExceeded
	}
	return nil
}

// TestStoppedMidway ends the time at each point of a run: tests before it have their results, and
// those behind it did not run.
func TestStoppedMidway(t *testing.T) {
	const step = `{ { knock = "ssh", opens = "ssh" }, { wait = "1h", closes = "ssh" } }`
	files, all := load(t, read(t, "ssh.lua"), `sesame.test "a" `+step+` sesame.test "b" `+strings.Replace(step, `, closes = "ssh"`, ``, 1)+` sesame.test "c" `+step)
	seen := map[string]bool{}
	for n := range 100 {
		ctx := &ending{}
		ctx.left.Store(int64(n))
		r := suite.Run(ctx, suite.Config{Files: files, Tests: all, Workers: 1})
		var outcomes []string
		for _, result := range r.Results {
			outcomes = append(outcomes, result.Outcome.String())
		}
		got := strings.Join(outcomes, " ")
		if seen[got] = true; (r.Stopped != nil) != strings.Contains(got, "not_run") {
			t.Errorf("after %d questions: %s, stopped: %v", n, got, r.Stopped)
		}
	}
	want := []string{"not_run not_run not_run", "passed not_run not_run", "passed failed not_run", "passed failed passed"}
	if got := slices.Sorted(maps.Keys(seen)); !slices.Equal(got, slices.Sorted(slices.Values(want))) {
		t.Errorf("got %q", got)
	}
}

// TestStopped ends the time before all tests.
func TestStopped(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	tests := `sesame.test "a" { { knock = "ssh", opens = "ssh" } } sesame.test "b" { { scan = "tcp/1-65535", times = 60, delay = "1us" } } sesame.test "c" { { knock = "ssh", opens = "ssh" } }`
	files, all := load(t, read(t, "ssh.lua"), tests)
	ran := suite.Run(ctx, suite.Config{Files: files, Tests: all, Workers: 1, Match: nil})
	if !ran.OK() || ran.Count(suite.Passed) != 3 || ran.Stopped != nil {
		t.Errorf("got %s", text(ran))
	}
	cancel()
	r := suite.Run(ctx, suite.Config{Files: files, Tests: all, Workers: 1})
	if r.Count(suite.NotRun) != 3 || r.Stopped == nil || !r.OK() {
		t.Errorf("got %s", text(r))
	}
}

// TestOrder runs many tests with any number of workers. The results are the same.
func TestOrder(t *testing.T) {
	var tests strings.Builder
	for i := range 40 {
		fmt.Fprintf(&tests, "sesame.test \"t%02d\" { options = { ttl = \"%ds\" }, { knock = \"ssh\", opens = \"ssh\", allows = { ttl = \"%ds\" } } }\n", i, 10+i%7, 10+i%5)
	}
	script := `local ttl = sesame.option "ttl" { type = "duration", default = "30s" }
sesame.door "ssh" { sequence = { "tcp/7421", "udp/9133", "tcp/2904", "tcp/6117" }, guards = "tcp/22", ttl = ttl }`
	files, all := load(t, script, tests.String())
	var want string
	for workers := range 5 {
		r := suite.Run(context.Background(), suite.Config{Files: files, Tests: all, Workers: workers})
		if got := text(r); want == "" {
			want = got
		} else if got != want {
			t.Errorf("%d workers:\n%s\nwant\n%s", workers, got, want)
		}
		if r.Count(suite.Passed) != 10 {
			t.Errorf("%d tests passed, want 10", r.Count(suite.Passed))
		}
	}
}

// TestMatch chooses tests by their names.
func TestMatch(t *testing.T) {
	files, all := load(t, read(t, "ssh.lua"), `sesame.test "a" { { wait = "1s" } } sesame.test "b" { { wait = "1s" } }`)
	r := suite.Run(context.Background(), suite.Config{Files: files, Tests: all, Match: func(test *specTest) bool { return test.Name == "b" }})
	if len(r.Results) != 1 || r.Results[0].Test.Name != "b" {
		t.Errorf("got %s", text(r))
	}
}

// TestOptions has values that do not fit, and a name that no script declares.
func TestOptions(t *testing.T) {
	script := `local ttl = sesame.option "ttl" { type = "duration", default = "30s" }
sesame.door "ssh" { sequence = { "tcp/7421", "udp/9133", "tcp/2904", "tcp/6117" }, guards = "tcp/22", ttl = ttl }`
	for _, tt := range []struct{ options, want string }{
		{`ttl = "soon"`, "ssh_test.lua:1:1: ttl=soon"},
		{`tll = "1s"`, `did you mean "ttl"?`},
	} {
		r := report(t, script, `sesame.test "it" { options = { `+tt.options+` }, { knock = "ssh", opens = "ssh" } }`, nil)
		if got := text(r); r.Results[0].Outcome != suite.Failed || !strings.Contains(got, tt.want) {
			t.Errorf("got %swant %q", got, tt.want)
		}
	}
}

// TestFilesStayAsTheyWere: a run of tests must not change what somebody is about to load.
func TestFilesStayAsTheyWere(t *testing.T) {
	script := `local full = sesame.option "full" { type = "boolean", default = true }
if full then home = sesame.networks { file = "home.list" } else home = sesame.networks { "192.0.2.0/24" } end
sesame.door "ssh" { sequence = { "tcp/7421", "udp/9133", "tcp/2904", "tcp/6117" }, guards = "tcp/22", when = home }`
	files, all := load(t, script, `sesame.test "it" { options = { full = false }, { knock = "ssh", refuses = "ssh" } }`, "home.list", "203.0.113.0/24\n")
	set, err := scripting.Load(files, scripting.Options{})
	if err != nil {
		t.Fatal(err)
	}
	set.Close()
	sum, referenced := files.Sum, len(files.Referenced())
	if r := suite.Run(context.Background(), suite.Config{Files: files, Tests: all}); r.Count(suite.Passed) != 1 {
		t.Errorf("got %s", text(r))
	}
	if files.Sum != sum || len(files.Referenced()) != referenced || referenced != 1 {
		t.Errorf("the files have changed: %d referenced", len(files.Referenced()))
	}
}

func load(t *testing.T, script, tests string, more ...string) (*source.Files, []*specTest) {
	t.Helper()
	var files *source.Files
	var all []*specTest
	report(t, script, tests, func(c *suite.Config) {
		files, all = c.Files, c.Tests
		c.Match = func(*specTest) bool { return false }
	}, more...)
	return files, all
}
