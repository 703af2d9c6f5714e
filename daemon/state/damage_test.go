package state

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sesame/daemon/engine"
)

// sample returns a journal of four records, which is written by one run and has
// its zeros behind it.
func sample(t testing.TB) []byte {
	d := open(t, t.TempDir())
	recovered(t, d, monday)
	appendAll(t, d, 0, grant(1, monday.Add(time.Hour)), value("a", "b", time.Time{}))
	appendAll(t, d, time.Hour, grant(2, monday.Add(time.Hour)), ended(1))
	d.Close()
	content, err := os.ReadFile(filepath.Join(d.path, journalName))
	if err != nil {
		t.Fatal(err)
	}
	return content
}

// recoverFrom recovers a journal with this content, and then checks that one can
// continue from it.
func recoverFrom(t testing.TB, content []byte) (Recovered, error) {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, journalName), content, 0o600); err != nil {
		t.Fatal(err)
	}
	d := hasty(t, dir)
	got, err := d.Recover(monday)
	if err != nil {
		d.Close()
		if after, err := os.ReadFile(filepath.Join(dir, journalName)); err != nil || !bytes.Equal(after, content) {
			t.Fatalf("a journal that was refused has changed, or %v", err)
		}
		return got, err
	}
	appendAll(t, d, 0, value("one more", true, time.Time{}))
	d.Close()
	d = hasty(t, dir)
	again := recovered(t, d, monday)
	d.Close()
	known := slices.ContainsFunc(got.Records, func(r engine.Record) bool {
		return r.Store != nil && r.Script == "spa.lua" && r.Store.Key == "one more"
	})
	if n := len(got.Records); len(again.Warnings) != 0 || !known && len(again.Records) != n+1 {
		t.Fatalf("after a restart %d records became %d, with %v", n, len(again.Records), again.Warnings)
	}
	return got, nil
}

// hasty opens a directory on a disk that flushes nothing, which is faster.
func hasty(t testing.TB, dir string) *Dir {
	t.Helper()
	d := open(t, dir)
	d.disk.flush = func(*os.File) error { return nil }
	d.disk.flushDir = func(*os.Root) error { return nil }
	return d
}

func TestAJournalCutAnywhere(t *testing.T) {
	content := sample(t)
	text := bytes.TrimRight(content, "\x00")
	ends := []int{0} // where a line does
	for i, c := range text {
		if c == '\n' {
			ends = append(ends, i+1)
		}
	}
	for cut := range len(text) + 1 {
		got, err := recoverFrom(t, text[:cut])
		if err != nil {
			t.Fatalf("cut at %d: %v", cut, err)
		}
		whole, _ := slices.BinarySearch(ends, cut+1)
		lines := whole - 1
		atEnd := slices.Contains(ends, cut) || slices.Contains(ends, cut+1)
		if slices.Contains(ends, cut+1) {
			lines++ // only its newline is missing
		}
		// Of the lines of the sample: header, offset, grant 1, value, offset, grant 2, ended 1.
		if want := []int{0, 0, 0, 2, 3, 3, 4, 3}[lines]; len(got.Records) != want {
			t.Errorf("cut at %d: %d records, want %d", cut, len(got.Records), want)
		}
		if torn := got.Torn != nil && strings.Contains(got.Torn.Error(), "last line is not whole"); torn == atEnd || len(got.Warnings) > 0 {
			t.Errorf("cut at %d: %v, %v", cut, got.Torn, got.Warnings)
		}
	}
}

func TestDamageAnywhere(t *testing.T) {
	content := bytes.TrimRight(sample(t), "\x00")
	for i := range content {
		for _, c := range []byte{content[i] ^ 1, content[i] ^ 0x20, 0, '\n'} {
			damaged := bytes.Clone(content)
			damaged[i] = c
			r, err := readFrom(bytes.NewReader(damaged), int64(len(damaged)))
			if err != nil {
				t.Fatalf("byte %d: %v", i, err)
			}
			// A checksum may be in capitals, and the last newline may be missing.
			if same := bytes.EqualFold(damaged, content) || i == len(content)-1 && c == 0; len(r.warnings("journal")) == 0 && r.tear("journal") == nil && !same {
				t.Errorf("byte %d changed to %q: nothing is said", i, c)
			}
			// One line is lost, or two that became one.
			if left := len(r.grants) + len(r.values); left < 1 {
				t.Errorf("byte %d changed to %q: nothing is left", i, c)
			}
		}
	}
}

func TestDamageIsSaid(t *testing.T) {
	lines := bytes.SplitAfter(bytes.TrimRight(sample(t), "\x00"), []byte("\n"))
	other, err := appendLine(nil, entry{Header: &header{What: setWhat, Version: 1}})
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name    string
		content [][]byte
		want    string
		records int
	}{
		{"a last line that is not whole", slices.Concat(lines[:6], [][]byte{lines[6][:4]}), "", 4},
		{"damage, and a last line that is not whole", slices.Concat(lines[:2], [][]byte{[]byte("rubbish\n")}, lines[2:6], [][]byte{lines[6][:4]}), "journal:3: the line is damaged, 1 in all", 4},
		{"nothing", nil, "", 0},
		{"zeros alone", [][]byte{make([]byte, 5000)}, "", 0},
		{"a line that is missing", slices.Concat(lines[:3], lines[4:]), "", 2},
		{"a line of rubbish", slices.Concat(lines[:2], [][]byte{[]byte("rubbish\n")}, lines[2:]), "journal:3: the line is damaged, 1 in all", 3},
		{"a line that is too long", slices.Concat(lines[:2], [][]byte{bytes.Repeat([]byte("x"), 3*maxLine), []byte("\n")}, lines[2:]), "journal:3: the line is damaged, 1 in all", 3},
		{"a hole", slices.Concat(lines[:2], [][]byte{make([]byte, 4096)}, lines[3:]), "journal:3: the line is damaged, 1 in all", 2},
		{"no header", lines[1:], "", 3},
		{"a header of something else", slices.Concat(lines[:2], [][]byte{other}, lines[2:]), "journal:3: the line is damaged, 1 in all", 3},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := recoverFrom(t, slices.Concat(tt.content...))
			said := fmt.Sprint(err)
			if err == nil {
				said = fmt.Sprint(got.Warnings)
			}
			if !strings.Contains(said, tt.want) || tt.want == "" && said != "[]" {
				t.Errorf("said %s, want %q", said, tt.want)
			}
			if len(got.Records) != tt.records {
				t.Errorf("%d records, want %d: %v", len(got.Records), tt.records, got.Records)
			}
		})
	}
}

// TestAFailingDisk goes through the failures of one append, and then lets it
// succeed.
func TestAFailingDisk(t *testing.T) {
	broken := &os.PathError{Op: "write", Path: "journal", Err: syscall.EIO}
	for _, tt := range []struct {
		name string
		harm func(*disk)
		anew bool // whether a new file is needed afterwards
	}{
		{"a write", func(d *disk) { d.write = func(*os.File, []byte, int64) error { return broken } }, false},
		{"half a write", func(d *disk) {
			write := d.write
			d.write = func(f *os.File, b []byte, at int64) error { return firstOf(write(f, b[:len(b)/2], at), broken) }
		}, false},
		{"a write and a cut", func(d *disk) {
			write := d.write
			d.write = func(f *os.File, b []byte, at int64) error { return firstOf(write(f, b[:len(b)/2], at), broken) }
			d.cut = func(*os.File, int64) error { return broken }
		}, true},
		{"a flush", func(d *disk) { d.flush = func(*os.File) error { return broken } }, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := open(t, t.TempDir())
			recovered(t, d, monday)
			appendAll(t, d, 0, grant(1, monday))
			before := d.journal.file
			good := d.disk
			tt.harm(&d.disk)
			for range 2 {
				if err := d.Append([]engine.Record{grant(2, monday), grant(3, monday)}, 0); err == nil {
					t.Fatal("it succeeded")
				}
			}
			if _, err := os.ReadFile(filepath.Join(d.path, journalName)); err != nil {
				t.Fatal(err)
			}
			d.disk = good
			appendAll(t, d, 0, ended(2))
			if anew := d.journal.file != before; anew != tt.anew {
				t.Errorf("a new file: %v, want %v", anew, tt.anew)
			}
			_, got := reopen(t, d, monday)
			if len(got.Records) != 2 || got.Records[1].Grant.ID != 1 || len(got.Warnings) != 0 {
				t.Errorf("recovered %v", got)
			}
		})
	}
}

func firstOf(first, second error) error {
	if first != nil {
		return first
	}
	return second
}

// TestALongJournalThatCannotBeWrittenAnewGoesOn is a disk with room for records,
// and none for a second journal.
func TestALongJournalThatCannotBeWrittenAnewGoesOn(t *testing.T) {
	d := open(t, t.TempDir())
	recovered(t, d, monday)
	appendAll(t, d, 0)
	d.journal.limit = 0
	create := d.disk.create
	d.disk.create = func(*os.Root, string) (*os.File, error) { return nil, syscall.ENOSPC }
	appendAll(t, d, 0, grant(1, monday))
	d.journal.limit, d.disk.create = 0, create
	appendAll(t, d, 0, grant(2, monday))
	if _, got := reopen(t, d, monday); len(got.Records) != 3 {
		t.Errorf("recovered %v", got.Records)
	}
}

func TestAStartOnADiskThatCannotBeWritten(t *testing.T) {
	dir := t.TempDir()
	d := open(t, dir)
	recovered(t, d, monday)
	appendAll(t, d, 0, grant(1, monday))
	d.Close()
	d = open(t, dir)
	create := d.disk.create
	d.disk.create = func(*os.Root, string) (*os.File, error) { return nil, syscall.EROFS }
	got := recovered(t, d, monday)
	if len(got.Records) != 2 || len(got.Warnings) != 0 {
		t.Errorf("recovered %v", got)
	}
	for _, records := range [][]engine.Record{nil, {grant(2, monday)}} {
		if err := d.Append(records, 0); !errors.Is(err, syscall.EROFS) {
			t.Errorf("appending %d records to a disk that cannot be written: %v", len(records), err)
		}
	}
	d.disk.create = create
	appendAll(t, d, 0, grant(3, monday))
	if _, got := reopen(t, d, monday); len(got.Records) != 3 {
		t.Errorf("recovered %v", got.Records)
	}
}

// FuzzRecover reads any bytes as a journal. What they say must be the same when
// it is written and read again.
func FuzzRecover(f *testing.F) {
	f.Add(bytes.TrimRight(sample(f), "\x00"))
	f.Add([]byte("00000000 {}\n\x00\x00"))
	f.Fuzz(func(t *testing.T, content []byte) {
		again(t, content)
		// The same with right checksums, to come further.
		var signed []byte
		for line := range bytes.SplitSeq(content, []byte("\n")) {
			if _, text, ok := bytes.Cut(line, []byte(" ")); ok {
				signed = fmt.Appendf(signed, "%08x %s\n", checksum(text), text)
			}
		}
		again(t, signed)
	})
}

func again(t *testing.T, content []byte) {
	var before []engine.Record
	for range 2 {
		r, err := readFrom(bytes.NewReader(content), int64(len(content)))
		if err != nil {
			return
		}
		if len(r.warnings("journal")) != 0 && before != nil {
			t.Fatalf("what was written is damaged: %s", content)
		}
		j := newJournal(monday.UnixNano(), func() time.Duration { return 0 })
		records, err := j.take(r)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(before, records, sameRecords); before != nil && diff != "" {
			t.Fatalf("written and read again (-want +got):\n%s", diff)
		}
		if before = records; before == nil {
			return
		}
		if content, err = j.content(""); err != nil {
			t.Fatal(err)
		}
	}
}

// The end of a grant that no engine can have given is no line of a Sesame. If its ID were
// the highest, every later grant would have an ID that no journal takes.
func TestTheEndOfAGrantThatCannotBe(t *testing.T) {
	lines := bytes.SplitAfter(sample(t), []byte("\n"))
	impossible, err := appendLine(nil, entry{Ended: 1 << 63})
	if err != nil {
		t.Fatal(err)
	}
	got, err := recoverFrom(t, slices.Concat(lines[0], lines[1], impossible, lines[2]))
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Warnings) != 1 || !strings.Contains(got.Warnings[0].Error(), "journal:3: the line is damaged") {
		t.Errorf("warnings: %v", got.Warnings)
	}
	if len(got.Records) == 0 || got.Records[0].Grant == nil || got.Records[0].Grant.ID != 1 {
		t.Errorf("records: %+v", got.Records)
	}
}
