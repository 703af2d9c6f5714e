package state

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sesame/daemon/account"
	"sesame/daemon/engine"
	"sesame/daemon/wire"
)

// journalOf returns a journal with these entries, each with its checksum.
func journalOf(entries ...string) []byte {
	var content []byte
	for _, text := range entries {
		content = fmt.Appendf(content, "%08x %s\n", checksum([]byte(text)), text)
	}
	return content
}

const (
	knownGrant  = `{"grant":{"id":3,"door":"ssh","by":"203.0.113.9","source":"203.0.113.9/32","port":"tcp/22","ttl":30000000000,"end":1780315230000000000}}`
	futureGrant = `{"grant":{"id":7,"door":"vpn","source":"203.0.113.9/32","port":"sctp/22","ttl":30000000000,"end":1780315230000000000,"undo":["/sbin/ip","route","del"]}}`
	futureValue = `{"value":{"script":"s.lua","key":"k","value":"d2026-06-01"}}`
	futureKind  = `{"session":{"id":7,"since":5}}`
	header2     = `{"header":{"what":"sesame journal","version":2}}`
	header9     = `{"header":{"what":"sesame journal","version":9,"features":["sessions"]}}`
)

// What a newer version wrote is read as far as it is known, is told, and stays for that version.
func TestAJournalOfANewerVersion(t *testing.T) {
	knownValue := `{"value":{"script":"s.lua","key":"k","value":"n5"}}`
	for _, tt := range []struct {
		name    string
		entries []string
		records []engine.Record
		texts   []string // a part of each
		stay    []string // what the journal has still when it was written anew
	}{
		{"a higher version", []string{header9, `{"offset":0}`, knownGrant}, []engine.Record{ended(3), grant(3, monday.Add(30*time.Second))}, []string{"has version 9, and this sesame writes version 2"}, nil},
		{"an unknown kind", []string{header2, futureKind, knownGrant}, []engine.Record{ended(3), grant(3, monday.Add(30*time.Second))}, []string{"records of a newer version that are not read, 1 in all"}, []string{futureKind}},
		{"an unknown kind twice", []string{header2, futureKind, futureKind}, nil, []string{"not read, 2 in all"}, []string{futureKind}},
		{"an unknown member", []string{header2, strings.Replace(knownGrant, `"door"`, `"tariff":{"a":1},"door"`, 1)}, []engine.Record{ended(3), grant(3, monday.Add(30*time.Second))}, nil, nil},
		{"an unknown protocol, with an undo", []string{header2, futureGrant}, []engine.Record{ended(7)}, []string{"not read, 1 in all", "this command, to undo something, and this one does not: /sbin/ip route del"}, []string{futureGrant}},
		{"which ended", []string{header2, futureGrant, `{"ended":7}`}, []engine.Record{ended(7)}, nil, nil},
		{"which has a later form", []string{header2, futureGrant, strings.Replace(futureGrant, `"vpn"`, `"other"`, 1)}, []engine.Record{ended(7)}, []string{"not read, 1 in all", "ip route del"}, []string{`"other"`}},
		{"an unknown value", []string{header2, futureValue}, nil, []string{"not read, 1 in all"}, []string{futureValue}},
		{"which was replaced", []string{header2, futureValue, knownValue}, []engine.Record{value("k", 5.0, time.Time{})}, nil, nil},
		{"which was removed", []string{header2, futureValue, `{"value":{"script":"s.lua","key":"k"}}`}, nil, nil, nil},
		{"an undo in another form", []string{header2, `{"grant":{"id":7,"port":"sctp/1","undo":"ip route del"}}`}, []engine.Record{ended(7)}, []string{"not read, 1 in all"}, []string{`"undo":"ip route del"`}},
		{"an undo that is nothing", []string{header2, `{"grant":{"id":7,"port":"sctp/1","undo":[]}}`}, []engine.Record{ended(7)}, []string{"not read, 1 in all"}, []string{`"undo":[]`}},
		{"an id that no grant has", []string{header2, `{"grant":{"id":9223372036854775808,"port":"sctp/1"}}`}, nil, []string{"not read, 1 in all"}, []string{"9223372036854775808"}},
		{"the last id that a grant may have", []string{header2, `{"grant":{"id":9223372036854775807,"port":"sctp/1"}}`}, []engine.Record{ended(1<<63 - 1)}, []string{"not read, 1 in all"}, []string{"9223372036854775807"}},
		{"a source in another form", []string{header2, `{"value":{"script":"s.lua","key":"k","source":"mars","value":"n5"}}`, knownValue}, []engine.Record{value("k", 5.0, time.Time{})}, []string{"not read, 1 in all"}, []string{"mars"}},
		{"another value", []string{header2, futureValue, strings.Replace(knownValue, `"k"`, `"l"`, 1)}, []engine.Record{value("l", 5.0, time.Time{})}, []string{"not read, 1 in all"}, []string{futureValue}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, journalName)
			if err := os.WriteFile(path, journalOf(tt.entries...), 0o600); err != nil {
				t.Fatal(err)
			}
			for start := range 3 { // later it was written by this program
				d := open(t, dir)
				got := recovered(t, d, monday)
				if diff := cmp.Diff(tt.records, got.Records, sameRecords, cmp.FilterPath(func(p cmp.Path) bool { return p.Last().String() == ".Script" }, cmp.Ignore())); diff != "" {
					t.Errorf("start %d: records (-want +got):\n%s", start, diff)
				}
				texts := got.Newer.Texts(path)
				if start > 0 && got.Newer.Version == 0 && len(tt.texts) > 0 && strings.Contains(tt.texts[0], "has version") {
					texts = tt.texts // it is of this version now
				}
				if len(got.Warnings) > 0 || len(texts) != len(tt.texts) {
					t.Fatalf("start %d: %v and %q", start, got.Warnings, texts)
				}
				for i, want := range tt.texts {
					if !strings.Contains(texts[i], want) {
						t.Errorf("start %d: %q, want %q", start, texts[i], want)
					}
				}
				appendAll(t, d, time.Hour*time.Duration(start))
				content, err := os.ReadFile(path)
				if err != nil {
					t.Fatal(err)
				}
				for _, want := range tt.stay {
					if !bytes.Contains(content, []byte(want)) {
						t.Errorf("start %d: %s is gone:\n%s", start, want, content)
					}
				}
				if len(tt.stay) == 0 && bytes.Contains(content, []byte(`"newer"`)) {
					t.Errorf("start %d: something stays:\n%s", start, content)
				}
				d.Close()
			}
		})
	}
}

// The newer version finds what an older one kept, with the times that it had: the offset of the
// journal that it was in counts, and not that of the older version.
func TestWhatAnOlderVersionKeptIsRead(t *testing.T) {
	kept := `{"newer":{"offset":3600000000000,"since":1780315200000000000,"entry":` + knownGrant + `}}`
	keptValue := `{"newer":{"offset":3600000000000,"since":1780315200000000000,"entry":{"value":{"script":"s.lua","key":"k","value":"n5","until":1780315260000000000}}}}`
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, journalName), journalOf(header2, kept, keptValue, `{"offset":7200000000000}`), 0o600); err != nil {
		t.Fatal(err)
	}
	d := open(t, dir)
	late := monday.Add(time.Hour)
	got := recovered(t, d, late)
	want := []engine.Record{ended(3), grant(3, late.Add(30*time.Second)), value("k", 5.0, late.Add(time.Minute))}
	if diff := cmp.Diff(want, got.Records, sameRecords, cmp.FilterPath(func(p cmp.Path) bool { return p.Last().String() == ".Script" }, cmp.Ignore())); diff != "" || len(got.Newer.Texts("")) > 0 {
		t.Errorf("%v; records (-want +got):\n%s", got.Newer, diff)
	}
}

// A later record of this version takes the place of what was kept, also when it is written first
// and the journal anew much later.
func TestARecordTakesThePlaceOfAKeptOne(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, journalName), journalOf(header2, futureValue, futureKind), 0o600); err != nil {
		t.Fatal(err)
	}
	d := open(t, dir)
	recovered(t, d, monday)
	put := engine.Record{Script: "s.lua", Store: &engine.Put{Key: "k", Value: true}}
	gone := engine.Record{Script: "s.lua", Store: &engine.Put{Key: "k"}}
	appendAll(t, d, 0, put)
	appendAll(t, d, 0, gone)
	_, got := reopen(t, d, monday)
	if got.Newer.Records != 1 || len(got.Records) != 0 {
		t.Errorf("recovered %+v", got)
	}
}

// A record goes after its time, and is told once more then. A clock that is not set makes it no
// older, nor one that was not when the record was read first.
func TestKeptRecordsGoInTime(t *testing.T) {
	for name, starts := range map[string][]struct {
		now                 time.Time
		records, undos, old int
	}{
		"a clock that is right": {{monday, 1, 1, 0}, {monday.Add(wire.NewerLasts), 1, 1, 0}, {monday.Add(wire.NewerLasts + 1), 0, 1, 1}, {monday.Add(wire.NewerLasts + 1), 0, 0, 0}},
		"one that is set later": {{time.Unix(86400, 0), 1, 1, 0}, {monday, 1, 1, 0}, {monday.Add(wire.NewerLasts), 1, 1, 0}, {monday.Add(wire.NewerLasts + 1), 0, 1, 1}},
		"one that goes back":    {{monday, 1, 1, 0}, {time.Unix(86400, 0), 1, 1, 0}, {monday.Add(wire.NewerLasts), 1, 1, 0}, {monday.Add(wire.NewerLasts + 1), 0, 1, 1}},
		"one that was ahead":    {{monday.AddDate(9, 0, 0), 1, 1, 0}, {monday, 1, 1, 0}, {monday.Add(wire.NewerLasts + 1), 0, 1, 1}},
	} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, journalName), journalOf(header2, futureGrant), 0o600); err != nil {
			t.Fatal(err)
		}
		for i, tt := range starts {
			d := open(t, dir)
			got := recovered(t, d, tt.now).Newer
			if got.Records != tt.records || len(got.Undos) != tt.undos || got.Dropped != tt.old || len(got.Texts("")) != tt.records+tt.undos+tt.old {
				t.Errorf("%s, start %d: %+v, want %+v", name, i, got, tt)
			}
			appendAll(t, d, 0)
			d.Close()
		}
	}
}

func TestWhatIsNoRecordOfANewerVersion(t *testing.T) {
	for _, text := range []string{
		`5`, `{}`, `null`, `{"offset":"later"}`, `{"header":7}`, `{"ended":"7"}`, `{"newer":7}`, `{"newer":{}}`,
		`{"newer":{"since":1,"entry":{"newer":{"since":1,"entry":` + futureKind + `}}}}`, `{"newer":{"since":1,"entry":5}}`,
		`{"newer":{"since":0,"entry":` + futureKind + `}}`, `{"newer":{"since":1,"entry":{"ended":7}}}`,
	} {
		got, err := recoverFrom(t, journalOf(header2, text))
		if err != nil || len(got.Warnings) != 1 || got.Newer.Records != 0 || len(got.Records) != 0 {
			t.Errorf("%s: %+v, %v", text, got, err)
		}
	}
}

// What a newer version wrote as another user is not trusted, and root's is not given away while it
// has a command to undo something.
func TestRealRecordsOfANewerVersion(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("it needs root")
	}
	const user = 7
	for _, tt := range []struct {
		name    string
		entries []string
		pending int
	}{{"an undo", []string{header2, futureGrant}, 1}, {"none", []string{header2, futureKind}, 0}} {
		dir := filepath.Join(t.TempDir(), "state")
		d := open(t, dir)
		d.Close()
		if err := os.WriteFile(filepath.Join(dir, journalName), journalOf(tt.entries...), 0o600); err != nil {
			t.Fatal(err)
		}
		given, err := Hand(dir, account.User{ID: user, Group: user}, monday)
		if err != nil || given.Pending != tt.pending {
			t.Errorf("%s: %+v, %v", tt.name, given, err)
		}
		if tt.pending > 0 {
			continue
		}
		taken, err := Hand(dir, account.User{}, monday)
		if err != nil || !slices.ContainsFunc(taken.Damaged, func(text string) bool {
			return strings.Contains(text, "records of a newer version, which nobody can check, 1 in all")
		}) {
			t.Errorf("%s: %+v, %v", tt.name, taken, err)
		}
		if content, err := os.ReadFile(filepath.Join(dir, journalName)); err != nil || bytes.Contains(content, []byte("session")) {
			t.Errorf("%s: %s, %v", tt.name, content, err)
		}
	}
}
