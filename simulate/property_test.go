package simulate

import (
	"bytes"
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"sesame/daemon/engine"
	"sesame/daemon/packet"
	"sesame/daemon/transcript"
	"sesame/simulate/pcaptest"
)

// doors generates doors with all options: long and short timeouts, strict, forgiving, repeated
// ports.
func doors() []*engine.Door {
	hasty, strict, forgiving, again := door("hasty", 1, 2, 3, 4), door("strict", 4, 1, 3), door("forgiving", 2, 1, 4), door("again", 1, 1, 2)
	hasty.StepTimeout = time.Second
	strict.Strict = true
	forgiving.OnWrong = engine.WrongIgnored
	again.Duplicates = engine.DuplicatesWrong
	refusing := door("refusing", 3, 4)
	refusing.When = []engine.Condition{no{}}
	failing := door("failing", 4, 3)
	failing.Handler, failing.Hooks = broken{}, engine.HookOpen|engine.HookStage
	aimed, instant := knockd(door("aimed", 1, 2, 3)), knockd(door("instant", 2, 4))
	aimed.Target, instant.Within = netip.MustParseAddr("192.0.2.2"), 0
	return []*engine.Door{
		hasty, strict, forgiving, again, refusing, failing, door("patient", 3, 2, 1, 4),
		knockd(door("group", 1, 2, 4)), knockd(door("other", 1, 3)), aimed, instant,
	}
}

// The account never changes the transcript, agrees with its totals, and always has a text.
func TestAnAccountChangesNothing(t *testing.T) {
	dir := t.TempDir()
	rapid.Check(t, func(t *rapid.T) {
		var lines strings.Builder
		at := 0
		for range rapid.IntRange(0, 60).Draw(t, "packets") {
			at += rapid.SampledFrom([]int{0, 1, 300, 999, 1000, 1001, 7000, 8000, -500}).Draw(t, "gap")
			at = max(at, 0)
			fmt.Fprintf(&lines, "%dms 203.0.113.%d tcp/%d %s seq=%d to=192.0.2.%d\n", at,
				rapid.IntRange(1, 3).Draw(t, "source"), rapid.IntRange(1, 6).Draw(t, "port"),
				rapid.SampledFrom([]string{"syn", "syn", "syn", "syn,ack", "fin"}).Draw(t, "flags"),
				rapid.IntRange(0, 40).Draw(t, "sequence"), rapid.IntRange(1, 2).Draw(t, "to"))
		}
		data, err := pcaptest.Capture(lines.String())
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, "test.pcap")
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		var with, without, text bytes.Buffer
		local := rapid.SampledFrom([][]netip.Prefix{nil, {netip.MustParsePrefix("192.0.2.1/32")}}).Draw(t, "local")
		c := Config{Captures: []string{path}, Local: local, Set: set(doors()...), Writer: transcript.NewJSON(&without), Until: time.Hour}
		if _, err := Run(t.Context(), c); err != nil {
			t.Fatal(err)
		}
		c.Writer, c.Account = transcript.NewJSON(&with), true
		report, err := Run(t.Context(), c)
		if err != nil {
			t.Fatal(err)
		}
		if with.String() != without.String() {
			t.Fatalf("without an account:\n%swith one:\n%s", without.String(), with.String())
		}
		if err := report.WriteAccount(&text); err != nil {
			t.Fatal(err)
		}
		check(t, report, text.String())
	})
}

// negative finds a number or a duration below zero, which an account never has.
var negative = regexp.MustCompile(`(^|[ (])-[0-9]`)

// check compares the account with the totals.
func check(t *rapid.T, report *Report, text string) {
	opens, refusals, misses := 0, 0, 0
	for o := range report.account.All() {
		opens, refusals, misses = opens+o.Opens, refusals+o.Refusals, misses+o.Misses
		for _, line := range o.Lines {
			if strings.Contains(line, "none/0") || negative.MatchString(line) {
				t.Errorf("%q makes no sense", line)
			}
		}
	}
	if opens != report.Opens || refusals != report.Refusals {
		t.Errorf("the account has %d opens and %d refusals, the totals %d and %d\n%s", opens, refusals, report.Opens, report.Refusals, text)
	}
	if misses > report.Misses {
		t.Errorf("the account has %d misses, more than the %d of the totals\n%s", misses, report.Misses, text)
	}
}

// A replay of any file ends, and counts every packet.
func FuzzRun(f *testing.F) {
	for _, lines := range []string{
		"0s 203.0.113.9 tcp/1\n1s 203.0.113.9 tcp/2\n2s 2001:db8::9 udp/3 data=x",
		"0s 203.0.113.9 tcp/3\n9s 203.0.113.9 tcp/4 syn,ack\n1s 203.0.113.9 tcp/4",
	} {
		data, err := pcaptest.Capture(lines)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	path := filepath.Join(f.TempDir(), "test.pcap")
	f.Fuzz(func(t *testing.T, data []byte) {
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		report, err := Run(t.Context(), Config{
			Captures: []string{path}, Set: set(doors()...), Account: true, Until: time.Hour,
			Writer: transcript.NewText(io.Discard, transcript.TextOptions{}),
		})
		if err != nil {
			return
		}
		if err := report.WriteAccount(io.Discard); err != nil {
			t.Fatal(err)
		}
		accounted := report.Knocks
		for d := packet.NotDropped + 1; d < packet.Drops; d++ {
			accounted += report.Dropped[d]
		}
		if accounted > report.Packets {
			t.Errorf("%d packets are accounted for, of %d", accounted, report.Packets)
		}
	})
}
