package daemon

import (
	"errors"
	"fmt"
	"hash/crc32"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"sesame/daemon/engine"
	"sesame/daemon/logtest"
	"sesame/daemon/packet"
)

// What a person must change keeps the daemon from starting; what the disk says does not.
func TestWhichStateDirectoriesStopAStart(t *testing.T) {
	for _, tt := range []struct {
		name    string
		make    func(dir string) error
		refused string
		why     string
	}{
		{"a new one", func(string) error { return nil }, "", ""},
		{"others can write to it", func(dir string) error {
			return errors.Join(os.Mkdir(dir, 0o700), os.Chmod(dir, 0o777))
		}, "others can write to it", ""},
		{"a file", func(dir string) error { return os.WriteFile(dir, nil, 0o600) }, "not a directory", ""},
		{"a journal of a newer version", func(dir string) error {
			header := `{"header":{"what":"sesame journal","version":99}}`
			sum := crc32.Checksum([]byte(header), crc32.MakeTable(crc32.Castagnoli))
			return errors.Join(os.Mkdir(dir, 0o700), os.WriteFile(dir+"/journal", fmt.Appendf(nil, "%08x %s\n", sum, header), 0o600))
		}, "", ""},
		{"a journal that cannot be read", func(dir string) error {
			return errors.Join(os.Mkdir(dir, 0o700), os.Mkdir(dir+"/journal", 0o700))
		}, "", "is a directory"},
		{"a directory that cannot be made", func(dir string) error { return os.Symlink("/proc/nowhere", dir) }, "", "making the state directory"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "state")
			must(t, tt.make(dir))
			log := &logtest.Buffer{}
			d := &daemon{since: newClock().now(), config: Config{Log: hclog.New(&hclog.LoggerOptions{Output: log})}}
			d.config.State = dir
			found, err := d.openState()
			if tt.refused != "" {
				if err == nil || !strings.Contains(err.Error(), tt.refused) {
					t.Errorf("started: %v, want %s", err, tt.refused)
				}
				return
			}
			must(t, err)
			if (found.err == nil) != (tt.why == "") || found.err != nil && !strings.Contains(found.err.Error(), tt.why) {
				t.Errorf("found: %v, want %q", found.err, tt.why)
			}
			if err := d.state.append(nil, 0); (err == nil) != (tt.why == "") {
				t.Errorf("appending: %v", err)
			}
			if tt.why != "" && !strings.Contains(log.String(), "the state directory cannot be read") {
				t.Errorf("the log: %s", log)
			}
			must(t, d.state.close())
		})
	}
}

// A directory that was deleted is made anew before anything counts as written, and says so once.
// While it cannot be made nothing counts as written.
func TestALostStateDirectoryTakesNoRecords(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	var renewed []string
	found := findState(dir, newClock().now())
	must(t, found.err)
	s := newStateDir(dir, found.dir, nil)
	s.renewed = func(lost error) { renewed = append(renewed, lost.Error()) }
	must(t, s.append(nil, 0), os.RemoveAll(dir), os.WriteFile(dir, nil, 0o600))
	if err := s.append(nil, 0); err == nil || !strings.Contains(err.Error(), "was deleted, and cannot be made anew: ") || renewed != nil {
		t.Errorf("appended: %v, renewed %q", err, renewed)
	}
	must(t, os.Remove(dir), s.append(nil, 0), s.append(nil, 0))
	if _, err := os.Stat(dir + "/journal"); err != nil || len(renewed) != 1 || !strings.Contains(renewed[0], "was deleted") {
		t.Errorf("%v, renewed %q", err, renewed)
	}
	must(t, s.close())
}

// When the disk answers late, pending undos are run, and values and sequences are known again. What
// this run knows better stays.
func TestWhatALateJournalBrings(t *testing.T) {
	now := time.Date(2026, 3, 2, 10, 0, 0, 0, time.UTC)
	e := engine.New(engine.Config{}, now)
	e.Swap(now, &engine.Set{})
	e.Restore(now, []engine.Record{{Script: "a.lua", Store: &engine.Put{Key: "new", Value: "mine"}}})
	source := netip.MustParsePrefix("203.0.113.9/32")
	journal := []engine.Record{
		{Grant: &engine.Grant{ID: 9}, Ended: true},
		{Grant: &engine.Grant{ID: 3, Source: source, Port: packet.Port{Proto: packet.TCP, Number: 22}, End: now.Add(time.Hour)}},
		{Grant: &engine.Grant{ID: 4, Source: source, Argv: []string{"/mount"}, Undo: []string{"/umount"}, End: now.Add(-time.Hour)}},
		{Script: "a.lua", Store: &engine.Put{Key: "new", Value: "old"}},
		{Script: "a.lua", Store: &engine.Put{Key: "old", Value: "old"}},
		{Consumed: &engine.Consumed{File: "/once", Line: "1,2"}},
	}
	if restore, over := lateRecords(journal, e.State(), false); len(restore) != 5 || len(over) != 0 {
		t.Errorf("after a boot %d records are restored, want 5, and %d are over", len(restore), len(over))
	}
	restore, over := lateRecords(journal, e.State(), true)
	var got []string
	for _, r := range restore {
		switch {
		case r.Grant != nil:
			got = append(got, fmt.Sprint(r.Grant.ID))
		case r.Store != nil:
			got = append(got, r.Store.Key)
		default:
			got = append(got, r.Consumed.Line)
		}
	}
	if !slices.Equal(got, []string{"9", "4", "old", "1,2"}) {
		t.Errorf("restored: %q", got)
	}
	if len(over) != 1 || over[0].Grant.ID != 3 || !over[0].Ended {
		t.Errorf("over: %v", over)
	}
	undos := 0
	for _, event := range e.Restore(now, restore) {
		if event.Effect == engine.EffectUndo {
			undos++
		}
	}
	if undos != 1 {
		t.Errorf("%d undos run, want 1", undos)
	}
}

// A probe that does not end keeps the threads of the daemon from the disk.
func TestADiskThatHangsIsNotTouched(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	d := &daemon{since: newClock().now(), config: Config{Log: hclog.NewNullLogger()}}
	d.config.State, d.config.Probe = dir, []string{"/bin/sh", "-c", "exec sleep 1000"}
	found, err := d.openState()
	must(t, err)
	if !errors.Is(found.err, errDiskHangs) || d.finding != nil {
		t.Errorf("found %v, and a goroutine looks: %v", found.err, d.finding != nil)
	}
	if _, err := os.Stat(dir); err == nil {
		t.Error("the directory was made")
	}
	d.config.Probe = []string{"/bin/true"}
	found, err = d.openState()
	must(t, errors.Join(err, found.err, d.state.close()))
}
