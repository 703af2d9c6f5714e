package draft_test

import (
	"context"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sesame/scripting"
	"sesame/scripting/source/sourcetest"
	"sesame/simulate"
	"sesame/simulate/draft"
	"sesame/simulate/pcaptest"
)

var update = flag.Bool("update", false, "write the texts of testdata")

// TestTexts compares drafts with testdata/texts.lua: first the lines of a capture, then its test.
// TestWhatIsWrittenPasses holds that such a test passes, but would accept one that says too much.
func TestTexts(t *testing.T) {
	set, err := scripting.Load(sourcetest.Files(map[string]string{"doors.lua": scripts}), scripting.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer set.Close()
	var all strings.Builder
	for _, tt := range []struct {
		name, lines string
		config      draft.Config
	}{
		{"a door by its name", "0s 203.0.113.9 tcp/1001\n100ms 203.0.113.9 udp/1003\n", draft.Config{}},
		{"another pace, and a packet of nobody's door", "0s 192.0.2.44 tcp/1001\n10ms 192.0.2.44 tcp/9\n250ms 192.0.2.44 udp/1003\n", draft.Config{}},
		{"two sources", "0s 203.0.113.9 tcp/1001\n100ms 203.0.113.9 udp/1003\n10s 2001:db8:9::9 tcp/1001\n10.1s 2001:db8:9::9 udp/1003\n", draft.Config{}},
		{"wrong and late knocks", "0s 203.0.113.9 tcp/1001\n300ms 203.0.113.9 tcp/1005\n900ms 203.0.113.9 tcp/1007 syn,ack\n1s 203.0.113.9 tcp/1007\n9s 203.0.113.9 udp/1003\n", draft.Config{}},
		{"payloads, commands and their undo", "0s 203.0.113.9 udp/1009 data=abc\n20s 203.0.113.9 udp/1009 data=bad\n40s 203.0.113.9 udp/1009 data=\"\\1\n", draft.Config{}},
		{"an error of a function", "0s 203.0.113.9 udp/1009 data=err\n", draft.Config{Comment: "Añadido"}},
		{"the same twice in a step", "0s 203.0.113.9 udp/1009 data=bad\n1ms 203.0.113.9 udp/1009 data=bad\n2ms 203.0.113.9 udp/1009 data=abc\n2ms 203.0.113.9 udp/1009 data=bad\n", draft.Config{}},
		{"facts, a comment and hosts", "0s 198.51.100.7 tcp/1001\n100ms 198.51.100.7 tcp/1005\n200ms 198.51.100.7 udp/1003\n300ms 198.51.100.7 tcp/1007\n", draft.Config{
			Comment: "from\n x.pcap\x7f", Local: []netip.Prefix{netip.MustParsePrefix("192.0.2.1/32"), netip.MustParsePrefix("10.0.0.0/8")},
			Options: map[string]string{"ttl": "30s", "end": "x\"\\\n", "ports": "tcp/1,tcp/2", "a-b": "1"}, Lists: map[string]bool{"ports": true}}},
		{"replaced, but for one that a list has", "0s 203.0.113.77 tcp/1001\n100ms 203.0.113.77 udp/1003\n20s 192.0.2.44 tcp/1001\n20.1s 192.0.2.44 tcp/1005\n20.2s 192.0.2.44 udp/1003\n20.3s 192.0.2.44 tcp/1007\n" +
			"40s 198.51.100.7 tcp/1001\n40.1s 198.51.100.7 tcp/1005\n40.2s 198.51.100.7 udp/1003\n40.3s 198.51.100.7 tcp/1007\n", draft.Config{Replace: true}},
	} {
		tt.config.Set, tt.config.Name = set, tt.name
		fmt.Fprintf(&all, "-- %s\n%s\n", strings.ReplaceAll(strings.TrimSpace(tt.lines), "\n", "\n-- "), textOf(t, tt.lines, tt.config))
	}
	path := filepath.Join("testdata", "texts.lua")
	if *update {
		if err := os.WriteFile(path, []byte(all.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), all.String()); diff != "" {
		t.Errorf("texts (-want +got):\n%s", diff)
	}
}

// textOf returns the test of a capture, with the addresses that stayed.
func textOf(t *testing.T, lines string, c draft.Config) string {
	t.Helper()
	data, err := pcaptest.Capture(lines)
	if err != nil {
		t.Fatal(err)
	}
	facts := &simulate.Given{}
	for _, fact := range []string{"203.0.113.9 country=ES", "198.51.100.7 country=FR"} {
		if err := facts.Add(fact); err != nil {
			t.Fatal(err)
		}
	}
	if c.Mattered, err = simulate.Matter(t.Context(), simulate.Config{Knocks: data, Set: c.Set.Engine, Facts: facts, Local: c.Local}); err != nil {
		t.Fatal(err)
	}
	one, err := draft.Write(context.Background(), c)
	if err != nil {
		t.Fatal(err)
	}
	stayed := ""
	for _, a := range one.Stayed {
		stayed += "-- stayed: " + a.String() + "\n"
	}
	return one.Text + stayed
}
