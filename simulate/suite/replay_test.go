package suite_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sesame/daemon/engine"
	"sesame/daemon/packet"
	"sesame/daemon/transcript"
	"sesame/scripting"
	"sesame/scripting/source"
	"sesame/simulate"
	"sesame/simulate/craft"
	"sesame/simulate/suite"
)

// capture returns a capture in which one source sends to ports, a second apart.
func capture(t *testing.T, begin time.Time, ports ...string) string {
	t.Helper()
	var sender craft.Sender
	source, file := netip.MustParseAddr("203.0.113.9"), craft.NewFile(packet.Ethernet)
	for i, text := range ports {
		port, err := packet.ParsePort(text)
		if err != nil {
			t.Fatal(err)
		}
		k := craft.Knock{Port: port}
		if port.Proto == packet.TCP {
			k.Flags = packet.SYN
		}
		if err := file.Add(begin.Add(time.Duration(i)*time.Second), sender.Packet(source, craft.Host4, k)); err != nil {
			t.Fatal(err)
		}
	}
	return string(file.PCAP())
}

var morning = time.Date(2026, time.March, 2, 10, 0, 0, 0, time.UTC)

// TestReplay replays captures between other steps.
func TestReplay(t *testing.T) {
	knock := capture(t, morning, "tcp/7421", "udp/9133", "tcp/2904", "tcp/6117")
	nothing := capture(t, morning, "tcp/1", "udp/2")
	for _, tt := range []struct{ name, test, want string }{
		{"it opens", `{ replay = "x.pcap", opens = "ssh" }`, ""},
		{"times of the capture", `{ replay = "x.pcap", opens = "ssh" }, { at = "2026-03-02T10:00:33Z", closes = "ssh" }`, ""},
		{"times of the capture, a second too early", `{ replay = "x.pcap", opens = "ssh" }, { at = "2026-03-02T10:00:32.999Z", closes = "ssh" }`, "no grant of ssh ended"},
		{"the time of the test", `at = "2026-11-23 09:00 UTC", { replay = "x.pcap", opens = "ssh" }, { at = "2026-11-23 09:00:33 UTC", closes = "ssh" }`, ""},
		{"the time of the step", `{ at = "2025-11-23 09:00 UTC", replay = "x.pcap", opens = "ssh" }, { at = "2025-11-23 09:00:33 UTC", closes = "ssh" }`, ""},
		{"after a knock", `{ knock = "ssh", opens = "ssh" }, { wait = "1m", closes = "ssh" }, { replay = "x.pcap", opens = "ssh" }, { wait = "30s", closes = "ssh" }`, ""},
		{"after half of a knock", `{ knock = { "tcp/7421", "udp/9133" } }, { replay = "half.pcap", opens = "ssh" }`, ""},
		{"then a knock", `{ replay = "x.pcap", opens = "ssh" }, { knock = "ssh", from = "198.51.100.7", opens = "ssh" }`, ""},
		{"no knock", `{ replay = "none.pcap" }`, "none.pcap: 0 of 2 packets were knocks, expected at least 1 (min_knocks)"},
		{"no knock, as it is said", `{ replay = "none.pcap", min_knocks = 0 }`, ""},
		{"too few knocks", `{ replay = "x.pcap", opens = "ssh", min_knocks = 5 }`, "x.pcap: 4 of 4 packets were knocks, expected at least 5 (min_knocks)"},
		{"no capture", `{ replay = "ssh.lua" }`, "a Lua script, expected a capture"},
		{"an empty file", `{ replay = "empty.pcap" }`, "empty.pcap"},
		{"a directory", `{ replay = "." }`, ". is no regular file"},
		{"cut short", `{ replay = "cut.pcap", opens = "ssh" }`, "cut.pcap"},
		{"another host", `host = "192.0.2.99", { replay = "x.pcap", min_knocks = 0 }`, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := report(t, read(t, "ssh.lua"), `sesame.test "it" { `+tt.test+` }`, nil, "x.pcap", knock, "none.pcap", nothing,
				"half.pcap", capture(t, morning, "tcp/2904", "tcp/6117"), "empty.pcap", "", "cut.pcap", knock[:len(knock)-3])
			switch got := text(r); {
			case tt.want == "" && r.Results[0].Outcome != suite.Passed:
				t.Errorf("it does not pass:\n%s", got)
			case tt.want != "" && (r.Results[0].Outcome != suite.Failed || !strings.Contains(got, tt.want)):
				t.Errorf("got %swant a failure with %q", got, tt.want)
			}
		})
	}
}

// TestPacketsAreCounted: those of knocks, scans and captures.
func TestPacketsAreCounted(t *testing.T) {
	r := report(t, read(t, "ssh.lua"), `sesame.test "it" { { knock = { "tcp/7421" } }, { scan = "tcp/9-11", min_knocks = 0 }, { replay = "x.pcap" } }`, nil,
		"x.pcap", capture(t, morning, "tcp/7421", "tcp/1"))
	if r.Results[0].Packets != 6 || !r.OK() {
		t.Errorf("%d packets, want 6\n%s", r.Results[0].Packets, text(r))
	}
}

// TestAMissingCapture skips the test by name, before any of its steps.
func TestAMissingCapture(t *testing.T) {
	r := report(t, read(t, "ssh.lua"), `sesame.test "it" { { knock = "ssh" }, { replay = "captures/x.pcap" } }`, nil)
	if got := r.Results[0]; got.Outcome != suite.Skipped || got.Why != "captures/x.pcap is missing" || !r.OK() {
		t.Errorf("got %s", text(r))
	}
}

// TestReplayIsSimulate compares the transcript of a step with that of a simulation, up to the end
// of the capture.
func TestReplayIsSimulate(t *testing.T) {
	dir, knock := t.TempDir(), capture(t, morning, "tcp/7421", "tcp/1", "udp/9133", "tcp/2904", "tcp/6117", "udp/62201", "tcp/7421")
	write(t, filepath.Join(dir, "ssh.lua"), read(t, "ssh.lua"))
	write(t, filepath.Join(dir, "x.pcap"), knock)
	files, err := source.Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	set, err := scripting.Load(files, scripting.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer set.Close()
	var want bytes.Buffer
	if _, err := simulate.Run(context.Background(), simulate.Config{Captures: []string{filepath.Join(dir, "x.pcap")}, Set: set.Engine, Writer: transcript.NewJSON(&want)}); err != nil {
		t.Fatal(err)
	}
	r := report(t, read(t, "ssh.lua"), `sesame.test "it" { { replay = "x.pcap", opens = "ssh", refuses = "beacon", golden = "x.jsonl" } }`,
		func(c *suite.Config) { c.Update = true }, "x.pcap", knock)
	if len(r.Results[0].Golden) != 1 {
		t.Fatal(text(r))
	}
	got := lines(r.Results[0].Golden[0].Got)
	all := lines(want.Bytes())
	for i, line := range got[:len(got)-1] {
		if line != all[i] {
			t.Errorf("line %d\n got %s\nwant %s", i+1, line, all[i])
		}
	}
	if len(got) < 11 || !strings.Contains(got[len(got)-1], `"event":"summary","packets":7,"knocks":6,"opens":1`) {
		t.Errorf("got %s", strings.Join(got, "\n"))
	}
}

func lines(b []byte) []string { return strings.Split(strings.TrimSpace(string(b)), "\n") }

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestGolden follows a golden transcript from its first writing on.
func TestGolden(t *testing.T) {
	knock := capture(t, morning, "tcp/7421", "udp/9133", "tcp/2904", "tcp/6117")
	const test = `sesame.test "it" { { replay = "x.pcap", opens = "ssh", golden = "x.jsonl" } }`
	script := read(t, "ssh.lua")
	run := func(update bool, files ...string) *suite.Report {
		return report(t, script, test, func(c *suite.Config) { c.Update = update }, append(files, "x.pcap", knock)...)
	}
	r := run(false)
	if got := text(r); r.Results[0].Outcome != suite.Failed || !strings.Contains(got, "x.jsonl is missing: sesame test --update writes it") {
		t.Errorf("without the file: %s", got)
	}
	r = run(true)
	if r.Results[0].Outcome != suite.Passed || len(r.Results[0].Golden) != 1 || r.Results[0].Golden[0].Want != nil {
		t.Fatalf("update without the file: %s", text(r))
	}
	good := string(r.Results[0].Golden[0].Got)
	for _, update := range []bool{false, true} {
		if r = run(update, "x.jsonl", good); r.Results[0].Outcome != suite.Passed || len(r.Results[0].Golden) != 0 {
			t.Errorf("update %v: with the file: %s", update, text(r))
		}
	}
	other := strings.Replace(good, `"stage":3`, `"stage":4`, 1)
	if r = run(false, "x.jsonl", other); r.Results[0].Outcome != suite.Failed || !strings.Contains(r.Results[0].Failures[0].Expected, `"stage":4`) || !strings.Contains(r.Results[0].Failures[0].Came, `"stage":3`) {
		t.Errorf("with another file: %s", text(r))
	}
	if r = run(true, "x.jsonl", other); r.Results[0].Outcome != suite.Passed || string(r.Results[0].Golden[0].Want) != other || string(r.Results[0].Golden[0].Got) != good {
		t.Errorf("update with another file: %s", text(r))
	}
}

// TestSession drives a session by hand.
func TestSession(t *testing.T) {
	door := &engine.Door{Name: "ssh", Within: 10 * time.Second, TTL: time.Minute, Guards: []packet.Port{{Proto: packet.TCP, Number: 22}},
		Sequence: []engine.Knock{{Port: packet.Port{Proto: packet.UDP, Number: 1}}, {Port: packet.Port{Proto: packet.UDP, Number: 2}}}}
	var events []string
	var before error
	s := simulate.NewSession(simulate.SessionConfig{Set: &engine.Set{Doors: []*engine.Door{door}}, Begin: morning, Before: func(_, _ int) error { return before }, Events: func(all []engine.Event) {
		for _, e := range all {
			events = append(events, fmt.Sprint(e.Time.Sub(morning), " ", e.Kind.Name()))
		}
	}})
	var sender craft.Sender
	for number, port := range []uint16{1, 2} {
		p := sender.Packet(netip.MustParseAddr("203.0.113.9"), craft.Host4, craft.Knock{Port: packet.Port{Proto: packet.UDP, Number: port}})
		frame, err := p.Frame(packet.Raw)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Frame(s.Now().Add(time.Second), number+1, packet.Raw, frame); err != nil {
			t.Fatal(err)
		}
	}
	stop := errors.New("stop")
	before = stop
	if err := s.Until(morning.Add(time.Hour)); !errors.Is(err, stop) || !s.Now().Equal(morning.Add(2*time.Second)) {
		t.Errorf("stopped: %v at %v", err, s.Now())
	}
	before = nil
	if err := s.Until(morning.Add(time.Hour)); err != nil || !s.Now().Equal(morning.Add(time.Hour)) {
		t.Errorf("%v at %v", err, s.Now())
	}
	got := strings.Join(events, ", ")
	if !strings.HasPrefix(got, "1s stage, 2s stage, 2s open, 2s effect") || !strings.HasSuffix(got, "1m2s close, 1m2s effect") && !strings.Contains(got, "1m2s close") {
		t.Errorf("got %s", got)
	}
}

// TestPlacesOfGoldenTranscripts: a golden transcript lies below the directory of the scripts,
// however its path is written. A file that is no transcript is not shown.
func TestPlacesOfGoldenTranscripts(t *testing.T) {
	knock := capture(t, morning, "tcp/7421", "udp/9133", "tcp/2904", "tcp/6117")
	dir := t.TempDir()
	write(t, filepath.Join(dir, "ssh.lua"), read(t, "ssh.lua"))
	write(t, filepath.Join(dir, "x.pcap"), knock)
	write(t, filepath.Join(dir, "empty.jsonl"), "")
	write(t, filepath.Join(dir, "list.txt"), "secret\n")
	other := t.TempDir()
	write(t, filepath.Join(other, "out.jsonl"), "secret\n")
	if err := os.Symlink(filepath.Join(other, "out.jsonl"), filepath.Join(dir, "link.jsonl")); err != nil {
		t.Fatal(err)
	}
	const outside = "is not below the directory of the scripts: name a file there"
	for name, want := range map[string]string{
		filepath.Join(dir, "new.jsonl"):   "new.jsonl is missing: sesame test --update writes it",
		"sub/../new.jsonl":                "new.jsonl is missing",
		filepath.Join(other, "out.jsonl"): outside,
		"../x.jsonl":                      "../x.jsonl " + outside,
		dir + "/../x.jsonl":               outside,
		"link.jsonl":                      "link.jsonl " + outside,
		"list.txt":                        "list.txt is no transcript: name another file, or remove it",
		"empty.jsonl":                     "empty.jsonl is no transcript: name another file, or remove it",
	} {
		write(t, filepath.Join(dir, "ssh_test.lua"), fmt.Sprintf(`sesame.test "it" { { replay = "x.pcap", opens = "ssh", golden = %q } }`, name))
		files, err := source.Read(dir)
		if err != nil {
			t.Fatal(err)
		}
		all, err := scripting.LoadTests(context.Background(), files, scripting.Options{})
		if err != nil {
			t.Fatal(err)
		}
		got := text(suite.Run(context.Background(), suite.Config{Files: files, Tests: all}))
		if !strings.Contains(got, want) || strings.Contains(got, "secret") {
			t.Errorf("%s: got %swant %q", name, got, want)
		}
	}
}
