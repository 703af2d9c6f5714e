package record

import (
	"bytes"
	"io"
	"io/fs"
	"strings"
	"testing"
	"time"

	"sesame/daemon/engine"
	"sesame/daemon/wire"
)

// oneTimeScripts are scripts with two files of one-time sequences, the first of which changes.
func oneTimeScripts(first string) Scripts {
	return Scripts{Files: []wire.File{
		{Path: "a.lua", Source: []byte("-- a")},
		{Path: "/first", Source: []byte(first), OneTime: true},
		{Path: "/second", Source: []byte(" 4444,5555 \n6666,7777\n"), OneTime: true},
		{Path: "/list", Source: []byte("203.0.113.0/24\n")},
	}}
}

// written returns the items of a recording, and its bytes.
func written(t *testing.T, r *Recording) (items []Item, file []byte) {
	t.Helper()
	var b bytes.Buffer
	if _, err := r.WriteTo(&b); err != nil {
		t.Fatal(err)
	}
	reader, err := NewReader(bytes.NewReader(b.Bytes()), int64(b.Len()), "a")
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	for {
		item, err := reader.NextItem()
		if err == io.EOF {
			return items, b.Bytes()
		} else if err != nil {
			t.Fatal(err)
		}
		items = append(items, item)
	}
}

// TestWithhold withholds lines in all places that have some: files, the state, and what a start
// restores. One file has two contents in the recording, the other one.
func TestWithhold(t *testing.T) {
	at := time.Unix(1_700_000_000, 0)
	state := engine.New(engine.Config{Attempts: 10, Grants: 10, Seed: 1}, at).State()
	state.Doors = []engine.DoorState{{Name: "a", ID: 1, Used: []wire.Text{"1111,2222", "\ntcp/1 0 0", "6666,7777"}, Unrecorded: []wire.Text{"4444,5555"}}}
	state.Consumed = []engine.ConsumedState{{Consumed: wire.Consumed{File: "/gone", Line: "8888,9999"}, Count: 1}, {Consumed: wire.Consumed{File: "/second", Line: "6666,7777"}, Count: 1}}
	state.Batches = []engine.BatchState{{Effects: []wire.Effect{{ID: 1, File: "/second", Line: "4444,5555"}}}}
	r := NewRecorder(0)
	r.Begin(at, state, oneTimeScripts("1111,2222\n3333,2222\n"))
	r.Input(Input{Kind: InputRestore, Time: at, Records: []engine.Record{
		{Consumed: &engine.Consumed{File: "/second", Line: "4444,5555"}}, {Consumed: &engine.Consumed{File: "/first", Line: "1111,2222"}},
	}})
	r.Input(Input{Kind: InputSet, Time: at, Scripts: oneTimeScripts("#111,2222\n3333,2222\n")})
	recording := r.Recording()
	before, whole := written(t, recording)
	_, without := written(t, recording.Withhold())
	for _, line := range []string{"1111,2222", "#111,2222", "3333,2222", "4444,5555", "6666,7777", "8888,9999"} {
		if !bytes.Contains(whole, []byte(line)) || bytes.Contains(without, []byte(line)) {
			t.Errorf("%s: %t, and %t without", line, bytes.Contains(whole, []byte(line)), bytes.Contains(without, []byte(line)))
		}
	}
	if _, again := written(t, recording); !bytes.Equal(again, whole) {
		t.Error("the recording itself has changed")
	}

	t.Log("# on a machine that has both files as they are last")
	second := string(oneTimeScripts("").Files[2].Source)
	have := map[string]string{"/first": "#111,2222\n3333,2222\n", "/second": second}
	find := func(path string) ([]byte, error) {
		if text, there := have[path]; there {
			return []byte(text), nil
		}
		return nil, fs.ErrNotExist
	}
	items, _ := written(t, recording.Withhold())
	v := &Revealer{Find: find}
	for _, item := range items {
		v.Reveal(item)
	}
	s := items[0].Snapshot
	if got := strings.Join(v.Missing, " "); got != "/first" || len(items) != len(before) {
		t.Errorf("missing %q, %d items", got, len(items))
	}
	for _, scripts := range []Scripts{s.Scripts, items[2].Input.Scripts} {
		first, other := scripts.Files[1], scripts.Files[2]
		if len(first.Source) != 0 || !first.Withheld || first.Digest != "" || string(other.Source) != second || other.Withheld || other.Digest != "" || !other.OneTime {
			t.Errorf("files %+v and %+v", first, other)
		}
		if string(scripts.Files[3].Source) != "203.0.113.0/24\n" || scripts.Files[3].OneTime {
			t.Errorf("the list is %+v", scripts.Files[3])
		}
	}
	d := s.State.Doors[0]
	if len(d.Used) != 2 || d.Used[0] != "\ntcp/1 0 0" || d.Used[1] != "6666,7777" || len(d.Unrecorded) != 1 || d.Unrecorded[0] != "4444,5555" {
		t.Errorf("used %q, unrecorded %q", d.Used, d.Unrecorded)
	}
	if len(s.State.Consumed) != 1 || s.State.Consumed[0].Line != "6666,7777" || s.State.Batches[0].Effects[0].Line != "4444,5555" {
		t.Errorf("consumed %+v, effects %+v", s.State.Consumed, s.State.Batches)
	}
	if records := items[1].Input.Records; len(records) != 1 || records[0].Consumed.Line != "4444,5555" {
		t.Errorf("restored %+v", records)
	}

	t.Log("# on one that has another file, and one that has none")
	for _, other := range []string{second + "\n", ""} {
		if have["/second"] = other; other == "" {
			delete(have, "/second")
		}
		items, _ := written(t, recording.Withhold())
		v := &Revealer{Find: find}
		v.Reveal(items[0])
		if d := items[0].Snapshot.State.Doors[0]; strings.Join(v.Missing, " ") != "/first /second" || len(d.Used) != 1 || len(d.Unrecorded) != 0 {
			t.Errorf("missing %q, used %q", v.Missing, d.Used)
		}
	}
}

// TestReferencesOfStrangers has references that no daemon writes.
func TestReferencesOfStrangers(t *testing.T) {
	v := &Revealer{texts: map[string][]byte{"/a": []byte("one\n two \n")}}
	for text, want := range map[wire.Text]string{
		"one": "one", "": "", "#2 /a": "two", "#1 /a": "one",
		"#": "-", "#0 /a": "-", "#3 /a": "-", "#-1 /a": "-", "#99999999999999999999 /a": "-", "#1": "-", "#1 /b": "-", "#x /a": "-", "##1 /a": "-",
	} {
		got, known := v.line(text)
		if !known {
			got = "-"
		}
		if string(got) != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

// TestMostWithheldFiles has more files than a set may name.
func TestMostWithheldFiles(t *testing.T) {
	looked := 0
	v := &Revealer{Find: func(string) ([]byte, error) { looked++; return nil, fs.ErrNotExist }}
	s := Snapshot{State: &engine.State{}}
	for i := range 2 * maxWithheld {
		s.Scripts.Files = append(s.Scripts.Files, wire.File{Path: wire.Text(strings.Repeat("a", i+1)), Withheld: true, Digest: "00"})
	}
	for range 2 {
		v.Reveal(Item{Snapshot: &s})
	}
	if looked != maxWithheld || len(v.Missing) != 2*maxWithheld {
		t.Errorf("looked for %d files, and %d are missing", looked, len(v.Missing))
	}
}
