package compare_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"sesame/daemon/transcript"
	"sesame/scripting"
	"sesame/scripting/source"
	"sesame/simulate"
	"sesame/simulate/compare"
	"sesame/simulate/pcaptest"
)

// TestEqualSetsDoNotDiffer compares each shipped script with itself, over all shipped captures.
func TestEqualSetsDoNotDiffer(t *testing.T) {
	captures, err := filepath.Glob("../../pcaps/*.pcap*")
	if err != nil || len(captures) < 30 {
		t.Fatalf("%d captures, %v: expected those of pcaps", len(captures), err)
	}
	known := facts(t, "203.0.113.0/24 country=ES asn=3352", "198.51.100.0/24 country=US asn=64500")
	shipped := func() *scripting.Set {
		files, err := source.Read("../../scripts")
		if err != nil {
			t.Fatal(err)
		}
		set, err := scripting.Load(files, scripting.Options{})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(set.Close)
		return set
	}
	before, then, opens := shipped(), shipped(), 0
	for _, capture := range captures {
		report, err := compare.Run(context.Background(), compare.Config{
			Old: compare.Side{Set: before, Facts: known}, New: compare.Side{Set: then, Facts: known}, Captures: []string{capture}, Until: time.Hour,
		})
		if err != nil {
			t.Fatal(err)
		}
		if !report.Same() || report.Opens.Old != report.Opens.New {
			t.Errorf("%s: %d opens, %d now, lost %v, gained %v, changed %v, refusals %v, effects %v", capture, report.Opens.Old, report.Opens.New, report.Lost, report.Gained, report.Changed, report.Refusals, report.Effects)
		}
		opens += report.Opens.Old
	}
	if opens < 10 {
		t.Errorf("%d openings in all captures: expected some", opens)
	}
}

// An opened is an opening in a transcript.
type opened struct {
	Event, Door, Source string
	Packet              int
	Time                time.Time
}

// transcribed returns the openings in the transcript of a capture, by what identifies them.
func transcribed(t *rapid.T, set *scripting.Set, capture []byte) map[string]opened {
	var out bytes.Buffer
	if _, err := simulate.Run(context.Background(), simulate.Config{Knocks: capture, Set: set.Engine, Writer: transcript.NewJSON(&out)}); err != nil {
		t.Fatal(err)
	}
	found := map[string]opened{}
	for line := range strings.Lines(out.String()) {
		var o opened
		if err := json.Unmarshal([]byte(line), &o); err != nil {
			t.Fatal(err)
		}
		if o.Event == "open" {
			found[fmt.Sprint(o.Door, o.Source, o.Packet)] = o
		}
	}
	return found
}

// randomScript draws two doors, each of two to three of four ports, with random rules.
func randomScript(t *rapid.T, label string) string {
	var b strings.Builder
	for _, door := range []string{"a", "b"} {
		ports := rapid.SliceOfN(rapid.IntRange(7001, 7004), 2, 3).Draw(t, label+" "+door)
		quoted := make([]string, len(ports))
		for i, port := range ports {
			quoted[i] = fmt.Sprintf("%q", fmt.Sprintf("tcp/%d", port))
		}
		fmt.Fprintf(&b, "sesame.door %q { sequence = { %s }, guards = \"tcp/22\", tripwires = 0, within = %q, on_wrong = %q%s }\n", door, strings.Join(quoted, ", "),
			rapid.SampledFrom([]string{"2s", "4s", "1m"}).Draw(t, label+" within"), rapid.SampledFrom([]string{"reset", "ignore"}).Draw(t, label+" on_wrong"),
			rapid.SampledFrom([]string{"", `, limit = "2/m"`, `, when = function(attempt) return attempt.source ~= "203.0.113.7", "no" end`}).Draw(t, label+" rule"))
	}
	return b.String()
}

// randomCapture draws packets of two sources.
func randomCapture(t *rapid.T) []byte {
	var b strings.Builder
	at := time.Duration(0)
	for range rapid.IntRange(5, 60).Draw(t, "packets") {
		at += time.Duration(rapid.IntRange(1, 1500).Draw(t, "gap")) * time.Millisecond
		fmt.Fprintf(&b, "%v %s tcp/%d\n", at, rapid.SampledFrom([]string{"203.0.113.9", "203.0.113.7"}).Draw(t, "source"), rapid.IntRange(7001, 7004).Draw(t, "port"))
	}
	file, err := pcaptest.Capture(b.String())
	if err != nil {
		t.Fatal(err)
	}
	return file
}

// TestLostAndGainedAreThoseOfTheTranscripts compares with the transcripts of both sets. An opening
// of one transcript alone is lost or gained, or it is one end of a pair that is near in time and
// told as changed. What is in both is neither.
func TestLostAndGainedAreThoseOfTheTranscripts(t *testing.T) {
	differed, moved := 0, 0
	rapid.Check(t, func(r *rapid.T) {
		before, then := load(t, randomScript(r, "old")), load(t, randomScript(r, "new"))
		capture := randomCapture(r)
		report, err := compare.Run(context.Background(), compare.Config{Old: compare.Side{Set: before}, New: compare.Side{Set: then}, Knocks: capture})
		if err != nil {
			r.Fatal(err)
		}
		was, is := transcribed(r, before, capture), transcribed(r, then, capture)
		var lost, gained []string
		for _, o := range report.Lost {
			lost = append(lost, key(o.Opening))
			if o.Why == "" {
				r.Errorf("no reason for %s", key(o.Opening))
			}
		}
		for _, o := range report.Gained {
			gained = append(gained, key(o.Opening))
		}
		for _, o := range report.Changed {
			if o.Packet == o.Now.Packet {
				continue
			}
			moved++
			lost, gained = append(lost, key(o.Opening)), append(gained, key(o.Now))
			if apart := o.Now.Time.Sub(o.Time).Abs(); apart > time.Minute || o.Door != o.Now.Door || o.Source != o.Now.Source {
				r.Errorf("%s and %s are told as one opening", key(o.Opening), key(o.Now))
			}
		}
		if want := only(was, is); !slices.Equal(sorted(lost), want) {
			r.Errorf("lost %v, want %v", lost, want)
		}
		if want := only(is, was); !slices.Equal(sorted(gained), want) {
			r.Errorf("gained %v, want %v", gained, want)
		}
		if report.Opens != (compare.Totals{Old: len(was), New: len(is)}) {
			r.Errorf("%v opens, want %d and %d", report.Opens, len(was), len(is))
		}
		differed += len(report.Lost) + len(report.Gained)
	})
	if !t.Failed() && (differed == 0 || moved == 0) {
		t.Errorf("%d openings differed, and %d moved: expected some of both", differed, moved)
	}
}

func key(o *compare.Opening) string { return fmt.Sprint(o.Door, o.Source, o.Packet) }

// only returns the keys that only the first has, sorted.
func only(a, b map[string]opened) (keys []string) {
	for k := range a {
		if _, both := b[k]; !both {
			keys = append(keys, k)
		}
	}
	return sorted(keys)
}

func sorted(keys []string) []string {
	slices.Sort(keys)
	return keys
}

// TestPlantedRegressionsAreFound weakens shipped scripts, as a hasty edit could, and looks whether
// the shipped captures show it.
func TestPlantedRegressionsAreFound(t *testing.T) {
	known := facts(t, "203.0.113.0/24 country=ES", "198.51.100.0/24 country=US")
	for _, tt := range []struct {
		name, script, from, to, capture string
		want                            string // lost, gained, changed
	}{
		{"a sequence shortened", "ssh", `, "tcp/6117" }`, ` }`, "ssh-opens.pcap", "0 0 1"},
		{"time for more", "ssh", `"8s"`, `"1m"`, "ssh-slow.pcap", "0 1 0"},
		{"time for less", "ssh", `"8s"`, `"500ms"`, "ssh-opens.pcap", "1 0 0"},
		{"a longer grant", "ssh", `"30s"`, `"8h"`, "ssh-opens.pcap", "0 0 1"},
		{"a window in the wrong zone", "office-hours", `tz = "Europe/Madrid"`, `tz = "America/Los_Angeles"`, "office-hours-opens.pcap", "1 0 0"},
		{"a window in the wrong zone, in the evening", "office-hours", `tz = "Europe/Madrid"`, `tz = "America/Los_Angeles"`, "office-hours-evening.pcap", "0 0 1"},
		{"a country dropped", "country", `  when     = sesame.any { lan, iberia },`, ``, "country-refused.pcap", "0 1 0"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			set := func(change bool) compare.Side {
				files, err := source.Read("../../scripts/" + tt.script + ".lua")
				if err != nil {
					t.Fatal(err)
				}
				text, err := os.ReadFile("../../scripts/" + tt.script + ".lua")
				if err != nil {
					t.Fatal(err)
				}
				if change {
					weak := strings.Replace(string(text), tt.from, tt.to, 1)
					if weak == string(text) {
						t.Fatalf("the script has no %q", tt.from)
					}
					files.Put(tt.script+".lua", []byte(weak))
				}
				loaded, err := scripting.Load(files, scripting.Options{})
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(loaded.Close)
				return compare.Side{Set: loaded, Facts: known}
			}
			r, err := compare.Run(context.Background(), compare.Config{Old: set(false), New: set(true), Captures: []string{"../../pcaps/" + tt.capture}, Until: time.Hour})
			if err != nil {
				t.Fatal(err)
			}
			if got := fmt.Sprint(len(r.Lost), len(r.Gained), len(r.Changed)); got != tt.want {
				t.Errorf("lost, gained, changed: %s, want %s", got, tt.want)
			}
		})
	}
}
