package simulate_test

import (
	"bytes"
	"context"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sesame/daemon/engine"
	"sesame/daemon/packet"
	"sesame/daemon/transcript"
	"sesame/simulate"
	"sesame/simulate/craft"
)

// TestAt shifts captures in both directions. All else stays as it was, and so does the distance of
// two captures.
func TestAt(t *testing.T) {
	begin := time.Date(2026, time.March, 2, 10, 0, 0, 0, time.UTC)
	door := &engine.Door{Name: "ssh", Within: 10 * time.Second, TTL: time.Minute, Guards: []packet.Port{{Proto: packet.TCP, Number: 22}},
		Sequence: []engine.Knock{{Port: packet.Port{Proto: packet.UDP, Number: 1}}, {Port: packet.Port{Proto: packet.UDP, Number: 2}}}}
	dir := t.TempDir()
	var paths []string
	var sender craft.Sender
	for i, port := range []uint16{1, 2} {
		file := craft.NewFile(packet.Raw)
		p := sender.Packet(netip.MustParseAddr("203.0.113.9"), craft.Host4, craft.Knock{Port: packet.Port{Proto: packet.UDP, Number: port}})
		if err := file.Add(begin.Add(time.Duration(i)*3*time.Second), p); err != nil {
			t.Fatal(err)
		}
		paths = append(paths, filepath.Join(dir, string(rune('a'+i))+".pcap"))
		if err := os.WriteFile(paths[i], file.PCAP(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	run := func(captures []string, at time.Time) string {
		var out bytes.Buffer
		_, err := simulate.Run(context.Background(), simulate.Config{Captures: captures, Set: &engine.Set{Doors: []*engine.Door{door}}, At: at, Writer: transcript.NewJSON(&out)})
		if err != nil {
			t.Fatal(err)
		}
		text, _, _ := strings.Cut(out.String(), `"sha256"`)
		return text
	}
	for _, captures := range [][]string{paths, paths[:1], paths[1:]} {
		want := run(captures, time.Time{})
		if len(captures) == 2 && !strings.Contains(want, `"event":"open"`) {
			t.Fatal(want)
		}
		for _, year := range []string{"1990", "2026", "2200"} {
			first := begin
			if captures[0] == paths[1] {
				first = begin.Add(3 * time.Second)
			}
			at, err := time.Parse(time.RFC3339, year+first.Format("-01-02T15:04:05Z"))
			if err != nil {
				t.Fatal(err)
			}
			if got := run(captures, at); strings.ReplaceAll(got, `"time":"`+year, `"time":"2026`) != want {
				t.Errorf("at %v:\n%s\nwant, but for the year,\n%s", at, got, want)
			}
		}
	}
}
