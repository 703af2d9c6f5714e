package state

import (
	"bytes"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sesame/daemon/engine"
	"sesame/daemon/packet"
)

func must(t testing.TB, errs ...error) {
	t.Helper()
	for _, err := range errs {
		if err != nil {
			t.Fatal(err)
		}
	}
}

// carried returns what an engine with an attempt carries.
func carried(t testing.TB) engine.Carried {
	t.Helper()
	e := engine.New(engine.Config{}, monday)
	door := &engine.Door{Name: "ssh", Script: "ssh.lua", Within: time.Minute, TTL: time.Minute}
	for _, number := range []uint16{7421, 9133, 2904} {
		door.Sequence = append(door.Sequence, engine.Knock{Port: packet.Port{Proto: packet.UDP, Number: number}})
	}
	e.Swap(monday, &engine.Set{Doors: []*engine.Door{door}})
	for i, k := range door.Sequence[:2] {
		e.Packet(&packet.Packet{
			Time: monday, Number: i + 1, Source: netip.MustParseAddr("203.0.113.9"), Dest: netip.MustParseAddr("198.51.100.1"), Port: k.Port,
		})
	}
	return e.Carry()
}

// What a stop saves is found by the next start alone.
func TestAttemptsAreSavedForOneStart(t *testing.T) {
	d := open(t, t.TempDir())
	recovered(t, d, monday)
	if _, saved, err := d.Attempts(); saved || err != nil {
		t.Errorf("a new directory has attempts: %v", err)
	}
	appendAll(t, d, 0)
	want := carried(t)
	for range 2 { // the later one counts
		if err := d.SaveAttempts(want); err != nil {
			t.Fatal(err)
		}
	}
	info, err := os.Stat(filepath.Join(d.path, attemptsName))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("the file: %v, %v", info, err)
	}
	next, _ := reopen(t, d, monday)
	got, saved, err := next.Attempts()
	if !saved || err != nil || len(got.Runs) != 1 {
		t.Fatalf("attempts: %v, %v, %+v", saved, err, got)
	}
	if diff := cmp.Diff(want.Runs, got.Runs, sameRecords) + cmp.Diff(want.Rules, got.Rules); diff != "" {
		t.Errorf("attempts (-want +got):\n%s", diff)
	}
	appendAll(t, next, 0, grant(1, monday))
	if _, saved, err := next.Attempts(); saved || err != nil {
		t.Errorf("they are there after the first record: %v", err)
	}
	if _, err := os.Stat(filepath.Join(d.path, attemptsName)); !os.IsNotExist(err) {
		t.Error(err)
	}
}

func TestAttemptsThatCannotBeRead(t *testing.T) {
	d := open(t, t.TempDir())
	recovered(t, d, monday)
	appendAll(t, d, 0)
	if err := d.SaveAttempts(carried(t)); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(d.path, attemptsName)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	const head = `{"what":"sesame attempts","version":1}`
	for name, tt := range map[string]struct {
		content []byte
		want    string
	}{
		"empty":         {nil, "it is damaged"},
		"cut":           {whole[:len(whole)-1], "it is damaged"},
		"cut early":     {whole[:20], "it is damaged"},
		"changed":       {bytes.Replace(whole, []byte("203.0.113.9"), []byte("203.0.113.8"), 1), "it is damaged"},
		"another file":  {journalOf(`{"what":"sesame journal","version":1}`, `{"Now":1}`), "it is damaged"},
		"a later one":   {journalOf(`{"what":"sesame attempts","version":2}`, `{"Now":1}`), "it has version 2, and this sesame reads version 1"},
		"another form":  {journalOf(head, `{"Now":"later"}`), "another version of Sesame wrote it"},
		"without state": {journalOf(head, `{"Rules":[]}`), "another version of Sesame wrote it"},
		"too long":      {append(journalOf(head), bytes.Repeat([]byte("x"), maxAttempts)...), "it is damaged"},
	} {
		if err := os.WriteFile(path, tt.content, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, saved, err := d.Attempts(); saved || err == nil || !strings.HasSuffix(err.Error(), attemptsName+": "+tt.want) {
			t.Errorf("%s: %v, %v", name, saved, err)
		}
	}
}

// What cannot be saved leaves nothing: neither half of it, nor what an earlier stop saved, which
// would be continued twice.
func TestAttemptsThatCannotBeSaved(t *testing.T) {
	huge := carried(t)
	huge.Rules = append(huge.Rules, engine.Rules{Digest: strings.Repeat("x", maxAttempts)})
	full := func(disk *disk) { disk.write = func(*os.File, []byte, int64) error { return syscall.ENOSPC } }
	for name, tt := range map[string]struct {
		c     engine.Carried
		spoil func(*disk)
		want  string
	}{
		"a full disk":       {carried(t), full, "saving attempts: no space left"},
		"no file":           {carried(t), func(d *disk) { d.create = func(*os.Root, string) (*os.File, error) { return nil, syscall.EROFS } }, "saving attempts: read-only"},
		"no name":           {carried(t), func(d *disk) { d.rename = func(*os.Root, string, string) error { return syscall.EIO } }, "saving attempts: input/output"},
		"more than fits in": {huge, func(*disk) {}, "at most 67108864"},
	} {
		d := open(t, t.TempDir())
		recovered(t, d, monday)
		appendAll(t, d, 0)
		if err := d.SaveAttempts(carried(t)); err != nil {
			t.Fatal(err)
		}
		tt.spoil(&d.disk)
		if err := d.SaveAttempts(tt.c); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: saved: %v", name, err)
		}
		left, err := fs.Glob(d.root.FS(), attemptsName+"*")
		if err != nil || len(left) > 0 {
			t.Errorf("%s: left: %v, %v", name, left, err)
		}
	}
}

// Attempts are not continued once another run wrote the journal, whichever version that was, nor
// beside a journal that has no id.
func TestAttemptsOfAnEarlierRun(t *testing.T) {
	for name, since := range map[string]func(*testing.T, *Dir, []byte){
		"another run that keeps the file": func(t *testing.T, d *Dir, saved []byte) {
			next, _ := reopen(t, d, monday)
			appendAll(t, next, 0)
			must(t, next.Close(), os.WriteFile(filepath.Join(d.path, attemptsName), saved, 0o600))
		},
		"an older version": func(t *testing.T, d *Dir, _ []byte) {
			must(t, d.Close(), os.WriteFile(filepath.Join(d.path, journalName), journalOf(header2, knownGrant), 0o600))
		},
		"no journal": func(t *testing.T, d *Dir, _ []byte) {
			must(t, d.Close(), os.Remove(filepath.Join(d.path, journalName)))
		},
		"both of an earlier version": func(t *testing.T, d *Dir, saved []byte) {
			_, state, _ := bytes.Cut(saved, []byte("\n"))
			must(t, d.Close(), os.WriteFile(filepath.Join(d.path, journalName), journalOf(header2), 0o600),
				os.WriteFile(filepath.Join(d.path, attemptsName), append(journalOf(`{"what":"sesame attempts","version":1}`), state...), 0o600))
		},
	} {
		d := open(t, t.TempDir())
		recovered(t, d, monday)
		appendAll(t, d, 0)
		must(t, d.SaveAttempts(carried(t)))
		saved, err := os.ReadFile(filepath.Join(d.path, attemptsName))
		must(t, err)
		since(t, d, saved)
		next := open(t, d.path)
		recovered(t, next, monday)
		if _, continued, err := next.Attempts(); continued || err == nil || !strings.HasSuffix(err.Error(), "another run of Sesame wrote the journal since that stop") {
			t.Errorf("%s: continued %v, %v", name, continued, err)
		}
		appendAll(t, next, 0)
		if _, continued, err := next.Attempts(); continued || err != nil {
			t.Errorf("%s: it is told again: %v", name, err)
		}
		must(t, next.Close())
	}
}

// FuzzAttempts reads any bytes as a file of attempts.
func FuzzAttempts(f *testing.F) {
	f.Add([]byte(`{"Now":1,"Runs":[],"Rules":[{"Digest":"x"}]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		for _, content := range [][]byte{text, journalOf(`{"what":"sesame attempts","version":1}`, string(text))} {
			if c, _, err := readAttempts(bytes.NewReader(content)); err == nil && c.State == nil {
				t.Error("neither an error nor a state")
			}
		}
	})
}
