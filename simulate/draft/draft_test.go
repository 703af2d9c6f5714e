package draft_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"sesame/scripting"
	"sesame/scripting/source"
	"sesame/simulate"
	"sesame/simulate/draft"
	"sesame/simulate/pcaptest"
	"sesame/simulate/suite"
)

// scripts has doors of all kinds: with conditions, a limit, a window, functions, one that is
// strict, and one whose payload nothing but its function looks at.
const scripts = `
local hours = sesame.window { days = "mon-fri", from = "08:00", to = "12:00", tz = "UTC" }
local lan = sesame.networks { "192.0.2.0/24", "2001:db8:9::/48" }
local spain = sesame.country { "ES" }
local audit = sesame.command { "/bin/audit", "{source}" }
local start = sesame.command { "/bin/start", undo = { "/bin/stop" }, ttl = "5s" }

sesame.door "short" { sequence = { "tcp/1001", "udp/1003" }, within = "2s", guards = "tcp/22", ttl = "3s", tripwires = 0 }
sesame.door "long" { sequence = { "tcp/1001", "tcp/1005", "udp/1003", "tcp/1007" }, within = "5s", step_timeout = "2s", guards = "tcp/80", ttl = "10s", when = sesame.any { lan, spain } }
sesame.door "office" { sequence = { "udp/1003", "tcp/1005" }, within = "2s", guards = "tcp/81", ttl = "1h", ends_with = hours, when = hours, strict = true, limit = "2/m" }
sesame.listen "beacon" { on = "udp/1009", length = 3, limit = "3/10s", guards = "tcp/82",
  on_knock = function(attempt)
    if attempt.payload == "bad" then return false, "bad" end
    if attempt.payload == "err" then error("not yet") end
    if attempt.payload == "log" then return attempt:log("seen") end
    attempt:exec(audit)
    attempt:exec(start)
    attempt:allow { ttl = "4s" }
  end }
sesame.listen "word" { on = "udp/1011", guards = "tcp/83",
  on_knock = function(attempt)
    if attempt.payload == "secret" then attempt:allow { ttl = "2s" } end
  end }
`

// capture draws lines of knocks, right and wrong ones, of several sources.
func capture(t *rapid.T) string {
	sources := rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"203.0.113.9", "198.51.100.7", "192.0.2.44", "2001:db8:9::9", "2001:db8:7::1"}), 1, 3, rapid.ID).Draw(t, "sources")
	words := []string{"tcp/1001", "udp/1003", "tcp/1005", "tcp/1007", "udp/1009 data=abc", "udp/1009 data=bad", "udp/1009 data=log", "udp/1009 data=err", "udp/1009 data=long", "udp/1011 data=secret", "udp/1011 data=other", "udp/1011", "tcp/1001 ack", "tcp/9", "udp/1005"}
	runs := [][]string{{"tcp/1001", "udp/1003"}, {"tcp/1001", "tcp/1005", "udp/1003", "tcp/1007"}, {"udp/1003", "tcp/1005"}}
	var b strings.Builder
	at := time.Duration(0)
	for range rapid.IntRange(1, 12).Draw(t, "runs") {
		from := rapid.SampledFrom(sources).Draw(t, "source")
		sent := rapid.SampledFrom(runs).Draw(t, "run")
		if rapid.Bool().Draw(t, "any") {
			sent = []string{rapid.SampledFrom(words).Draw(t, "word")}
		}
		for _, word := range sent {
			fmt.Fprintf(&b, "%s %s %s\n", at, from, word)
			at += time.Duration(rapid.SampledFrom([]int{1, 700, 50_000, 300_123, 1_999_999, 2_000_001}).Draw(t, "gap")) * time.Microsecond
		}
		at += time.Duration(rapid.SampledFrom([]int{0, 500, 3_000, 5_001, 60_000}).Draw(t, "pause")) * time.Millisecond
	}
	return b.String()
}

// TestWhatIsWrittenPasses writes tests of captures, and runs them.
func TestWhatIsWrittenPasses(t *testing.T) {
	dir := t.TempDir()
	rapid.Check(t, func(t *rapid.T) {
		text := capture(t)
		data, err := pcaptest.Capture(text)
		if err != nil {
			t.Fatal(err)
		}
		written, err := writtenFor(t, dir, data, rapid.Bool().Draw(t, "replace"))
		switch {
		case err != nil && strings.Contains(err.Error(), "nothing in it was a knock"):
			return
		case err != nil:
			t.Fatalf("%v\n%s", err, text)
		}
		result := run(t, dir, written)
		if result.Outcome != suite.Passed {
			t.Fatalf("the test does not pass: %v %+v\n%s\n%s", result.Why, result.Failures, text, written)
		}
	})
}

// A tester is a test, of rapid or not.
type tester interface {
	Helper()
	Fatal(...any)
	Fatalf(string, ...any)
}

func writtenFor(t tester, dir string, data []byte, replace bool) (string, error) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, "doors.lua"), []byte(scripts), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(dir, "doors_test.lua")); err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	files, err := source.Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	set, err := scripting.Load(files, scripting.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer set.Close()
	facts := &simulate.Given{}
	for _, fact := range []string{"203.0.113.9 country=ES", "198.51.100.7 country=FR"} {
		if err := facts.Add(fact); err != nil {
			t.Fatal(err)
		}
	}
	ctx := context.Background()
	found, err := simulate.Matter(ctx, simulate.Config{Knocks: data, Set: set.Engine, Facts: facts})
	if err != nil {
		return "", err
	}
	one, err := draft.Write(ctx, draft.Config{Set: set, Mattered: found, Name: "drawn", Replace: replace})
	if err != nil {
		return "", err
	}
	return one.Text, nil
}

func run(t tester, dir, text string) suite.Result {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, "doors_test.lua"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	files, err := source.Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	tests, err := scripting.LoadTests(context.Background(), files, scripting.Options{})
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	report := suite.Run(context.Background(), suite.Config{Files: files, Tests: tests})
	if len(report.Results) != 1 {
		t.Fatalf("%d results, want 1", len(report.Results))
	}
	return report.Results[0]
}
