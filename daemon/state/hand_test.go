package state

import (
	"errors"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"sesame/daemon/account"
	"sesame/daemon/engine"
	"sesame/daemon/packet"
	"sesame/daemon/writable/writabletest"
)

func TestMain(m *testing.M) {
	if err := writabletest.TrustOwnerOfTemp(); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}

var service = account.User{Name: "sesame", ID: 990, Group: 991}

// used returns a state directory of root's that a daemon has used: with a grant of a port, a
// command whose undo may be pending, a used one-time sequence, a script set and the note about the
// clock.
func used(t *testing.T, pending bool) string {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root, to give files away")
	}
	dir := filepath.Join(t.TempDir(), "state")
	d := open(t, dir)
	recovered(t, d, monday)
	source := netip.MustParsePrefix("192.0.2.1/32")
	end := monday.Add(time.Hour)
	records := []engine.Record{
		{Grant: &engine.Grant{ID: 3, Door: "ssh", Source: source, Port: packet.Port{Proto: packet.TCP, Number: 22}, TTL: time.Hour, End: end}},
		{Grant: &engine.Grant{ID: 4, Door: "mount", Source: source, Argv: []string{"mount", "x"}, Undo: []string{"umount", "x y"}, TTL: time.Hour, End: end}},
		{Consumed: &engine.Consumed{File: "/etc/sesame/once", Line: "tcp/1"}},
		{Consumed: &engine.Consumed{File: "/etc/sesame/done", Line: "tcp/2"}},
		{Consumed: &engine.Consumed{File: "/etc/sesame/done", Line: "tcp/2"}, Ended: true},
		{Grant: &engine.Grant{ID: 5, Door: "odd", Source: source, Port: packet.Port{Proto: packet.TCP, Number: 80}, Undo: []string{"odd"}, TTL: time.Hour, End: end}},
	}
	if !pending {
		records = append(records, engine.Record{Grant: &engine.Grant{ID: 4}, Ended: true}, engine.Record{Grant: &engine.Grant{ID: 5}, Ended: true})
	}
	err := errors.Join(d.Append(records, 0), d.SaveSet(Saved{}), d.NoteClockSynchronised(), d.SaveAttempts(carried(t)), d.Close())
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// owners returns which of the files belong to whom.
func owners(t *testing.T, dir string) map[string]int {
	t.Helper()
	all := map[string]int{}
	for _, name := range append([]string{".", lockName}, kept...) {
		info, err := os.Lstat(filepath.Join(dir, name))
		if err == nil {
			all[name] = int(info.Sys().(*syscall.Stat_t).Uid)
		} else if !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
	}
	return all
}

func allOf(user int) map[string]int {
	return map[string]int{".": user, journalName: user, setName: user, clockName: user, attemptsName: user, lockName: user}
}

func hand(t *testing.T, dir string, to account.User) Taken {
	t.Helper()
	taken, err := Hand(dir, to, monday)
	if err != nil {
		t.Fatal(err)
	}
	return taken
}

func sameOwners(t *testing.T, dir string, want map[string]int) {
	t.Helper()
	if diff := cmp.Diff(want, owners(t, dir)); diff != "" {
		t.Errorf("owners (-want +got):\n%s", diff)
	}
}

func TestRealHand(t *testing.T) {
	dir := used(t, false)
	if taken := hand(t, dir, account.Root()); taken.From != 0 {
		t.Errorf("root took %+v from itself", taken)
	}
	sameOwners(t, dir, allOf(0))

	t.Log("# root gives it to the daemon's user, once and again")
	for range 2 {
		if taken := hand(t, dir, service); taken.From != 0 {
			t.Errorf("%+v", taken)
		}
		sameOwners(t, dir, allOf(990))
	}

	t.Log("# another user gets none of it")
	hand(t, dir, account.User{Name: "other", ID: 5, Group: 5})
	sameOwners(t, dir, allOf(990))

	t.Log("# an undo of root's daemon is pending")
	dir = used(t, true)
	if taken := hand(t, dir, service); taken.Pending != 2 {
		t.Errorf("%+v", taken)
	}
	sameOwners(t, dir, allOf(0))

	t.Log("# root takes a directory back, and believes no command")
	for name := range allOf(990) {
		if err := os.Lchown(filepath.Join(dir, name), 990, 991); err != nil {
			t.Fatal(err)
		}
	}
	want := Taken{From: 990, Undos: [][]string{{"umount", "x y"}, {"odd"}}, OneTime: []string{"/etc/sesame/once"}}
	if diff := cmp.Diff(want, hand(t, dir, account.Root())); diff != "" {
		t.Errorf("taken (-want +got):\n%s", diff)
	}
	left := allOf(0)
	delete(left, setName)
	delete(left, attemptsName)
	delete(left, lockName)
	sameOwners(t, dir, left)
	trusted(t, dir)
}

// trusted opens a directory of root's that was taken back, and checks what is left in it.
func trusted(t *testing.T, dir string) {
	t.Helper()
	d := open(t, dir)
	defer d.Close()
	if _, saved, err := d.LastGood(); saved || err != nil {
		t.Errorf("a script set is there: %v, %v", saved, err)
	}
	if !d.ClockWasSynchronised() {
		t.Error("it is forgotten that the clock was synchronised")
	}
	var got []string
	r := recovered(t, d, monday)
	for _, one := range r.Records {
		switch {
		case one.Ended:
			got = append(got, "last")
			if one.Grant.ID != 5 {
				t.Errorf("the last id is %d", one.Grant.ID)
			}
		case one.Grant != nil:
			got = append(got, one.Grant.Door)
		case one.Consumed != nil:
			got = append(got, one.Consumed.File)
		}
	}
	if want := []string{"last", "ssh"}; !slices.Equal(got, want) || len(r.Warnings) > 0 || r.Torn != nil {
		t.Errorf("records %q, %v, %v, want %q", got, r.Warnings, r.Torn, want)
	}
}

// TestRealHandedHalf has a crash between any two steps of root: then another start goes on, and one
// that does not is refused.
func TestRealHandedHalf(t *testing.T) {
	for _, name := range kept {
		t.Run(name, func(t *testing.T) {
			dir := used(t, true)
			if err := os.Chown(filepath.Join(dir, name), 990, 991); err != nil {
				t.Fatal(err)
			}
			if d, err := Open(dir); err == nil || !strings.Contains(err.Error(), name+" in it belongs to user 990, who could have root run commands by it") {
				t.Errorf("opened %v, %v", d, err)
			} else if _, refusal := errors.AsType[*Refusal](err); !refusal {
				t.Errorf("%T", err)
			}
			taken := hand(t, dir, account.Root())
			if want := name == journalName; taken.From != 990 || (len(taken.Undos) > 0) != want {
				t.Errorf("taken %+v", taken)
			}
			open(t, dir)
		})
	}
	dir := used(t, true)
	if err := os.Chown(filepath.Join(dir, journalName), 990, 991); err != nil {
		t.Fatal(err)
	}
	hand(t, dir, service)
	sameOwners(t, dir, allOf(990))
}

// TestRealHandInUse does not touch what a daemon has open.
func TestRealHandInUse(t *testing.T) {
	dir := used(t, false)
	d := open(t, dir)
	hand(t, dir, service)
	sameOwners(t, dir, allOf(0))
	d.Close()
	hand(t, dir, service)
	lock, err := os.Open(filepath.Join(dir, lockName))
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Close()
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	if taken := hand(t, dir, account.Root()); taken.From != 0 {
		t.Errorf("taken %+v", taken)
	}
	sameOwners(t, dir, allOf(990))
}

// TestRealTakenTraps has a directory whose owner puts something else in the place of each file.
func TestRealTakenTraps(t *testing.T) {
	for kind, plant := range map[string]func(secret, path string) error{
		"links":        os.Symlink,
		"second names": os.Link,
		"pipes":        func(_, path string) error { return unix.Mkfifo(path, 0o666) },
		"directories":  func(_, path string) error { return os.Mkdir(path, 0o777) },
	} {
		for _, name := range slices.Concat(kept, left) {
			t.Run(kind+" for "+name, func(t *testing.T) {
				dir, secret := used(t, false), filepath.Join(t.TempDir(), "secret")
				if err := os.WriteFile(secret, []byte("kept\n"), 0o640); err != nil {
					t.Fatal(err)
				}
				hand(t, dir, service)
				path := filepath.Join(dir, name)
				if err := errors.Join(os.RemoveAll(path), plant(secret, path)); err != nil {
					t.Fatal(err)
				}
				if kind != "second names" {
					if err := os.Lchown(path, 990, 991); err != nil {
						t.Fatal(err)
					}
				}
				_, _ = Hand(dir, account.Root(), monday) // some of these are refused
				info, err := os.Stat(secret)
				text, readErr := os.ReadFile(secret)
				if err != nil || readErr != nil || info.Mode().Perm() != 0o640 || info.Sys().(*syscall.Stat_t).Uid != 0 || string(text) != "kept\n" {
					t.Errorf("the file behind it changed: %v, %v, %q", info, err, text)
				}
			})
		}
	}
}

// TestRealHandNew makes a directory for the user, and leaves one alone that is no state directory.
func TestRealHandNew(t *testing.T) {
	used(t, false) // for root alone
	dir := filepath.Join(t.TempDir(), "var/lib/sesame")
	hand(t, dir, service)
	info, err := os.Stat(dir)
	if err != nil || info.Mode().Perm() != 0o700 || owners(t, dir)["."] != 990 {
		t.Errorf("made %v, %v", info, err)
	}
	if taken := hand(t, dir, account.Root()); taken.From != 0 || owners(t, dir)["."] != 990 {
		t.Errorf("root took a directory that no daemon used: %+v", taken)
	}
	if err := os.Chmod(filepath.Dir(dir), 0o777); err != nil {
		t.Fatal(err)
	}
	if _, err := Hand(dir, account.Root(), monday); err == nil || !strings.Contains(err.Error(), "others can change") {
		t.Error(err)
	}
}

// TestRealHandedLogs has log files that go with the directory, in both directions. What is no
// ordinary file of one name does not become root's.
func TestRealHandedLogs(t *testing.T) {
	dir := used(t, false)
	path := func(name string) string { return filepath.Join(dir, name) }
	owner := func(name string) int {
		t.Helper()
		info, err := os.Lstat(path(name))
		if errors.Is(err, fs.ErrNotExist) {
			return -1
		}
		if err != nil {
			t.Fatal(err)
		}
		return int(info.Sys().(*syscall.Stat_t).Uid)
	}
	hand := func(to account.User, log, before int) {
		t.Helper()
		if _, err := Hand(dir, to, monday); err != nil {
			t.Fatal(err)
		}
		if owner("audit.log") != log || owner("audit.log.1") != before {
			t.Errorf("they belong to %d and %d, want %d and %d", owner("audit.log"), owner("audit.log.1"), log, before)
		}
	}
	if err := os.WriteFile(path("audit.log"), []byte("a line\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	hand(service, service.ID, -1)
	held, err := os.OpenFile(path("audit.log"), os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer held.Close()
	hand(account.Root(), 0, -1)
	if _, err := held.WriteString("another line\n"); err != nil {
		t.Fatal(err)
	}
	if text, err := os.ReadFile(path("audit.log")); err != nil || string(text) != "a line\n" {
		t.Errorf("the former owner wrote to it: %q, %v", text, err)
	}
	hand(service, service.ID, -1)
	t.Log("# the user puts something else there")
	if err := errors.Join(os.Rename(path("audit.log"), path("mine")), os.Link(path("mine"), path("audit.log")), os.Symlink("mine", path("audit.log.1"))); err != nil {
		t.Fatal(err)
	}
	hand(account.Root(), -1, -1)
	if text, err := os.ReadFile(path("mine")); err != nil || string(text) != "a line\n" || owner("mine") != service.ID {
		t.Errorf("the other name has %q, %v, and belongs to %d", text, err, owner("mine"))
	}
}
