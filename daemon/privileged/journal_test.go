//go:build linux

package privileged

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"sesame/daemon/wire"
)

func undoOf(argv ...string) *owed {
	return &owed{Argv: wire.Convert[wire.Text](argv), Timeout: time.Second}
}

func opened(t testing.TB, dir string) *journal {
	t.Helper()
	j, damaged, err := openJournal(dir)
	must(t, err)
	if damaged != 0 {
		t.Fatalf("%d lines are damaged", damaged)
	}
	return j
}

// TestTheJournalIsASet compares the journal with a list, over restarts, random damage excepted.
func TestTheJournalIsASet(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		dir := filepath.Join(t.TempDir(), "helper")
		j := opened(t, dir)
		defer func() { _ = j.close() }()
		var model []string
		var ids []*owed
		for range rapid.IntRange(1, 30).Draw(r, "steps") {
			switch rapid.SampledFrom([]string{"owe", "done", "failed", "restart", "take"}).Draw(r, "step") {
			case "owe":
				o := undoOf("/u", rapid.SampledFrom([]string{"a", "b", "\xff\n"}).Draw(r, "argument"))
				must(t, j.owe(o))
				model, ids = append(model, "/u "+string(o.Argv[1])), append(ids, o)
			case "done":
				if len(ids) > 0 {
					i := rapid.IntRange(0, len(ids)-1).Draw(r, "which")
					must(t, j.done(ids[i]))
					model, ids = slices.Delete(model, i, i+1), slices.Delete(ids, i, i+1)
				}
			case "take", "failed":
				o, _ := j.take(undoHash([]string{"/u", "a"}))
				i := slices.Index(model, "/u a")
				if (o == nil) != (i < 0) || o != nil && o.ID != ids[i].ID {
					r.Fatalf("took %+v of %q", o, model)
				}
				if o == nil {
					continue
				}
				if again, over := j.take(o.hash); again == nil && over == nil || again != nil && again.ID <= o.ID {
					r.Fatalf("took %+v while %+v runs", again, o)
				} else if again != nil {
					j.putBack(again)
				}
				j.putBack(o)
			case "restart":
				must(t, j.close())
				j = opened(t, dir)
				ids = slices.Clone(j.undos)
			}
			if diff := cmp.Diff(model, j.list(), cmpEmpty); diff != "" {
				r.Fatalf("owed (-want +got):\n%s", diff)
			}
		}
	})
}

// TestADamagedJournal cuts and changes the file at each third byte: the other lines count.
func TestADamagedJournal(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "helper")
	j := opened(t, dir)
	for i := range 3 {
		must(t, j.owe(undoOf("/u", fmt.Sprint(i))))
	}
	must(t, j.close())
	path := filepath.Join(dir, journalName)
	whole, err := os.ReadFile(path)
	must(t, err)
	first := strings.Index(string(whole), "\n") + 1
	for n := 0; n < len(whole); n += 3 {
		for what, text := range map[string][]byte{"cut": whole[:n], "changed": slices.Concat(whole[:n], []byte{whole[n] ^ 1}, whole[n+1:])} {
			must(t, os.WriteFile(path, text, 0o600))
			j, damaged, err := openJournal(dir)
			if err != nil {
				t.Fatalf("%s at %d: %v", what, n, err)
			}
			left := j.list()
			if what == "cut" && n >= first && !slices.Contains(left, "/u 0") || what == "changed" && (len(left) < 1 || damaged == 0) || len(left)+damaged > 4 {
				t.Errorf("%s at %d: %q is owed, and %d lines are damaged", what, n, left, damaged)
			}
			must(t, j.close())
		}
	}
}

// TestUndosOfTheSameSession has an undo that the daemon need not claim, since it asked for it.
func TestUndosOfTheSameSession(t *testing.T) {
	j := opened(t, filepath.Join(t.TempDir(), "helper"))
	earlier, own := undoOf("/u", "earlier"), undoOf("/u", "own")
	earlier.session, own.session = 1, 2
	must(t, j.owe(earlier), j.owe(own))
	if got := j.takeUnclaimed(map[hash]int{}, 2); len(got) != 1 || got[0] != earlier {
		t.Errorf("unclaimed: %v", got)
	}
	if got := j.takeUnclaimed(map[hash]int{}, 3); len(got) != 1 || got[0] != own {
		t.Errorf("unclaimed by the next: %v", got)
	}
	must(t, j.close())
}

func TestAJournalIsBounded(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "helper")
	j := opened(t, dir)
	j.live = maxOwedBytes - 200
	if err := j.owe(undoOf("/u", strings.Repeat("x", 300))); err == nil || !strings.Contains(err.Error(), "0 undos are pending already, of 65535 KiB") {
		t.Errorf("too many bytes: %v", err)
	}
	j.live, j.undos = 0, make([]*owed, maxOwed)
	if err := j.owe(undoOf("/u")); err == nil || !strings.Contains(err.Error(), "65536 undos are pending already") {
		t.Errorf("too many: %v", err)
	}
	j.undos = nil

	t.Log("# what is over takes no room for long")
	for range 40 {
		o := undoOf("/u", strings.Repeat("x", minRewrite/10))
		must(t, j.owe(o), j.done(o))
	}
	info, err := os.Stat(filepath.Join(dir, journalName))
	must(t, err)
	if info.Size() > 2*minRewrite {
		t.Errorf("the file has %d bytes", info.Size())
	}
	must(t, j.close())
}

func TestAJournalOfOthers(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "helper")
	j := opened(t, dir)
	if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	for _, name := range []string{journalName, lockName} {
		if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", name, info.Mode(), err)
		}
	}
	if _, _, err := openJournal(dir); err == nil || err.Error() != "another helper uses the directory "+dir {
		t.Errorf("opened twice: %v", err)
	}
	must(t, j.close(), os.Chmod(dir, 0o750))
	if _, _, err := openJournal(dir); err == nil || err.Error() != "others can use the helper's directory "+dir+" (mode 0750): run chmod 0700 "+dir {
		t.Errorf("mode 0750: %v", err)
	}
	must(t, os.Chmod(dir, 0o700))
	if os.Geteuid() == 0 {
		must(t, os.Chown(dir, 1, 1))
		if _, _, err := openJournal(dir); err == nil || !strings.Contains(err.Error(), "belongs to user 1, who could have any command run: give it to user 0") {
			t.Errorf("of user 1: %v", err)
		}
	}
}

// TestAFullDisk lets writing fail once: no command may run then, and the next undo is noted.
func TestAFullDisk(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "helper")
	j := opened(t, dir)
	must(t, j.owe(undoOf("/u", "before")))
	must(t, j.file.Close())
	if err := j.owe(undoOf("/u", "lost")); err == nil || !strings.HasPrefix(err.Error(), "noting an undo: ") {
		t.Errorf("noted: %v", err)
	}
	if j.broken {
		t.Error("the line may be in the file still")
	}
	must(t, j.owe(undoOf("/u", "after")))
	must(t, j.close())
	j = opened(t, dir)
	if diff := cmp.Diff([]string{"/u before", "/u after"}, j.list()); diff != "" {
		t.Errorf("owed (-want +got):\n%s", diff)
	}
	must(t, j.close())
}

// A heldDisk writes nothing while it is held.
type heldDisk struct {
	*journal
	held    atomic.Pointer[chan struct{}]
	entered chan struct{} // receives when a write waits
}

func (d *heldDisk) store(text []byte, whole bool) error {
	if held := d.held.Load(); held != nil {
		d.entered <- struct{}{}
		<-*held
	}
	return d.storeFile(text, whole)
}

// TestADiskThatHangs has a disk that takes the first line and then hangs. What needs it is refused
// after a second, and at once from then on. All else goes on. When the disk answers again, what was
// refused is not owed.
func TestADiskThatHangs(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "helper")
	synctest.Test(t, func(t *testing.T) {
		j := opened(t, dir)
		disk := &heldDisk{journal: j, entered: make(chan struct{}, 1)}
		j.store = disk.store
		before, other := undoOf("/u", "before"), undoOf("/u", "other")
		must(t, j.owe(before), j.owe(other))
		held := make(chan struct{})
		disk.held.Store(&held)
		begin := time.Now()
		for i, wait := range []time.Duration{journalPatience, 0} {
			began := time.Now()
			if err := j.owe(undoOf("/u", "refused")); !errors.Is(err, errDiskHangs) || time.Since(began) != wait {
				t.Errorf("%d: %v after %v", i, err, time.Since(began))
			}
		}
		<-disk.entered

		t.Log("# an undo that was owed before runs, and is noted in memory")
		o, _ := j.take(before.hash)
		if err := j.done(o); !errors.Is(err, errDiskHangs) || time.Since(begin) != journalPatience {
			t.Errorf("%v after %v", err, time.Since(begin))
		}
		if again, _ := j.take(before.hash); o != before || again != nil || !j.ranBefore(before.hash) {
			t.Errorf("took %v, and then %v", o, again)
		}
		if err := j.close(); !errors.Is(err, errDiskHangs) {
			t.Errorf("closed: %v", err)
		}

		t.Log("# the disk answers")
		disk.held.Store(nil)
		close(held)
		synctest.Wait()
		must(t, j.owe(undoOf("/u", "after")))
		if diff := cmp.Diff([]string{"/u other", "/u after"}, j.list()); diff != "" {
			t.Errorf("owed (-want +got):\n%s", diff)
		}
		must(t, j.close())
	})
	j := opened(t, dir)
	if diff := cmp.Diff([]string{"/u other", "/u after"}, j.list()); diff != "" {
		t.Errorf("owed after a restart (-want +got):\n%s", diff)
	}
	must(t, j.close())
}

// FuzzJournal reads any file.
func FuzzJournal(f *testing.F) {
	text, err := line{Owed: undoOf("/u", "x")}.text()
	must(f, err)
	f.Add(text)
	f.Add([]byte("00000000 {\"done\":1}\n"))
	dir := filepath.Join(f.TempDir(), "helper")
	must(f, os.Mkdir(dir, 0o700))
	f.Fuzz(func(t *testing.T, b []byte) {
		must(t, os.WriteFile(filepath.Join(dir, journalName), b, 0o600))
		j, _, err := openJournal(dir)
		must(t, err)
		owed := j.list()
		must(t, j.close())
		j = opened(t, dir) // what is written anew is whole
		if diff := cmp.Diff(owed, j.list()); diff != "" {
			t.Errorf("owed after a second start (-want +got):\n%s", diff)
		}
		must(t, j.close())
	})
}
