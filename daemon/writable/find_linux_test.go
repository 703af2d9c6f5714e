package writable

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

const nobody = 65534

func must(t *testing.T, errs ...error) {
	t.Helper()
	for _, err := range errs {
		if err != nil {
			t.Fatal(err)
		}
	}
}

// file makes a file with the directories above it, which only this user can write.
func file(t *testing.T, path string) string {
	t.Helper()
	must(t, os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte("x"), 0o600))
	return path
}

// want compares what is found with lines of "path: commands", with DIR for the directory. What is
// above the directory is of the machine where the test runs.
func want(t *testing.T, dir string, target Target, lines ...string) {
	t.Helper()
	var got []string
	for _, f := range Find([]Target{target}) {
		if above, err := filepath.Rel(f.Path, dir); err == nil && above != "." && !strings.HasPrefix(above, "..") {
			continue
		}
		got = append(got, strings.ReplaceAll(f.Path+": "+f.Mend, dir, "DIR"))
	}
	if strings.Join(got, "\n") != strings.Join(lines, "\n") {
		t.Errorf("%s: got %q, want %q", target.Path, got, lines)
	}
}

func TestModesOfTheWay(t *testing.T) {
	dir := t.TempDir()
	path := file(t, dir+"/a/b/c")
	want(t, dir, Target{Path: path})
	for _, one := range []struct {
		path string
		mode os.FileMode
		mend string
	}{
		{path, 0o606, "chmod o-w"}, {dir + "/a/b", 0o757, "chmod o-w"}, {dir + "/a", 0o777, "chmod o-w"},
		{path, 0o644, ""}, {path, 0o666, "chmod o-w"}, {path, 0o664, ""}, // the group of root has no member but root
		{dir + "/a", 0o777 | os.ModeSticky, ""},
	} {
		must(t, os.Chmod(one.path, one.mode))
		var lines []string
		if one.mend != "" {
			lines = []string{strings.Replace(one.path, dir, "DIR", 1) + ": " + one.mend + " " + strings.Replace(one.path, dir, "DIR", 1)}
		}
		if os.Geteuid() == 0 {
			want(t, dir, Target{Path: path}, lines...)
		}
		must(t, os.Chmod(one.path, 0o755))
	}

	t.Log("# a sticky directory: others can add files to it")
	must(t, os.Chmod(dir+"/a", 0o777|os.ModeSticky))
	want(t, dir, Target{Path: path})
	want(t, dir, Target{Path: dir + "/a", Listed: true}, "DIR/a: chmod o-w DIR/a")
	want(t, dir, Target{Path: dir + "/a/none"}, "DIR/a: chmod o-w DIR/a")
	must(t, os.Chmod(dir+"/a", 0o755))
	want(t, dir, Target{Path: dir + "/a/none"})
}

// TestGroups needs root to give files away.
func TestGroups(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can give files away")
	}
	dir := t.TempDir()
	path := file(t, dir+"/a")
	must(t, os.Chown(path, nobody, 0))
	want(t, dir, Target{Path: path}, "DIR/a: chown root DIR/a")
	t.Setenv("SUDO_UID", "65534")
	want(t, dir, Target{Path: path})
	t.Setenv("SUDO_UID", "")
	must(t, os.Chown(path, 0, nobody), os.Chmod(path, 0o660))
	want(t, dir, Target{Path: path}, "DIR/a: chmod g-w DIR/a")
	must(t, os.Chown(path, nobody, nobody), os.Chmod(path, 0o666))
	want(t, dir, Target{Path: path}, "DIR/a: chown root DIR/a && chmod go-w DIR/a")
}

func TestSymbolicLinks(t *testing.T) {
	dir := t.TempDir()
	path := file(t, dir+"/real/a")
	must(t, os.MkdirAll(dir+"/links", 0o755), os.Symlink("../real/a", dir+"/links/l"), os.Symlink(dir+"/links", dir+"/way"), os.Symlink("loop", dir+"/loop"))
	link := Target{Path: dir + "/way/l"}
	want(t, dir, link)
	want(t, dir, Target{Path: dir + "/loop"})
	for _, open := range []string{path, dir + "/real", dir + "/links"} {
		must(t, os.Chmod(open, 0o757))
		name := strings.Replace(open, dir, "DIR", 1)
		want(t, dir, link, name+": chmod o-w "+name)
		must(t, os.Chmod(open, 0o755))
	}
	if os.Geteuid() != 0 {
		return
	}
	t.Log("# somebody's own link, where it can be exchanged and where it cannot")
	must(t, os.Lchown(dir+"/links/l", nobody, nobody))
	want(t, dir, link)
	must(t, os.Chmod(dir+"/links", 0o777|os.ModeSticky))
	want(t, dir, link, "DIR/links/l: chown -h root DIR/links/l")
}

// TestPathsThatOthersChose: a person pastes the commands into a shell.
func TestPathsThatOthersChose(t *testing.T) {
	for path, word := range map[string]string{
		"/etc/a.lua": "/etc/a.lua", "/a b": "'/a b'", "/$(id)": "'/$(id)'", "/it's": `'/it'\''s'`, "/a;b": "'/a;b'", "/\x1b[2J": "", "/a\nb": "", "/\xff": "",
	} {
		if got, _ := ShellWord(path); got != word {
			t.Errorf("%q: got %s, want %s", path, got, word)
		}
	}
}

// aclOf returns the attribute for entries of tag, permissions and ID.
func aclOf(entries ...[3]uint32) []byte {
	text := binary.LittleEndian.AppendUint32(nil, aclVersion)
	for _, e := range entries {
		text = binary.LittleEndian.AppendUint16(text, uint16(e[0]))
		text = binary.LittleEndian.AppendUint16(text, uint16(e[1]))
		text = binary.LittleEndian.AppendUint32(text, e[2])
	}
	return text
}

// TestACL has a file that a user may write who is neither its owner nor in its group.
func TestACL(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("the file belongs to this user, whose group others may have")
	}
	const none = 1<<32 - 1
	owner, everybody := [3]uint32{0x01, 6, none}, [3]uint32{0x20, 4, none}
	dir := t.TempDir()
	path := file(t, dir+"/a")
	for _, one := range []struct {
		name    string
		entries [][3]uint32
		found   bool
	}{
		{"a user", [][3]uint32{owner, {aclUser, 6, nobody}, {aclOwning, 4, none}, {aclMask, 6, none}, everybody}, true},
		{"a user, masked", [][3]uint32{owner, {aclUser, 6, nobody}, {aclOwning, 4, none}, {aclMask, 4, none}, everybody}, false},
		{"a user who reads", [][3]uint32{owner, {aclUser, 4, nobody}, {aclOwning, 4, none}, {aclMask, 6, none}, everybody}, false},
		{"root", [][3]uint32{owner, {aclUser, 6, 0}, {aclOwning, 4, none}, {aclMask, 6, none}, everybody}, false},
		{"a group", [][3]uint32{owner, {aclOwning, 4, none}, {aclGroup, 6, nobody}, {aclMask, 6, none}, everybody}, true},
		{"the group of root", [][3]uint32{owner, {aclOwning, 6, none}, {aclMask, 6, none}, everybody}, false},
	} {
		if err := unix.Setxattr(path, "system.posix_acl_access", aclOf(one.entries...), 0); err == unix.EOPNOTSUPP {
			t.Skip("the file system has no ACLs")
		} else {
			must(t, err)
		}
		if !one.found {
			want(t, dir, Target{Path: path})
			continue
		}
		want(t, dir, Target{Path: path}, "DIR/a: chmod g-w DIR/a")
		info, err := os.Stat(path)
		must(t, err, os.Chmod(path, info.Mode()&^0o020))
		want(t, dir, Target{Path: path})
	}
}

func FuzzACL(f *testing.F) {
	f.Add(aclOf([3]uint32{aclUser, 6, nobody}, [3]uint32{aclMask, 6, 0}))
	f.Add([]byte{2, 0, 0})
	f.Fuzz(func(t *testing.T, text []byte) {
		a, ok := parseACL(text)
		if n := len(a.users) + len(a.groups); n > len(text)/8 || !ok && (n > 0 || a.owning) {
			t.Errorf("%+v of %d bytes", a, len(text))
		}
	})
}

func TestMembersOfGroups(t *testing.T) {
	p := &people{self: []uint32{1000}, known: map[uint32]bool{}, foreign: -1,
		passwd: "root:x:0:0:root:/root:/bin/sh\nana:x:1000:1000::/:/bin/sh\nbob:x:1001:100::/:/bin/sh\ntoor:x:0:0::/:/bin/sh\n",
		groups: "root:x:0:\nstaff:x:50:\nusers:x:100:\nana:x:1000:\nwheel:x:10:root,ana\ntwo:x:11:ana,bob\ngone:x:12:who\ndouble:x:13:\ndouble2:x:13:bob\nodd:x\n",
	}
	for group, others := range map[uint32]bool{0: false, 50: false, 100: true, 1000: false, 10: false, 11: true, 12: true, 13: true, 4242: true} {
		for range 2 { // the second answer is a known one
			if got := p.others(group); got != others {
				t.Errorf("group %d: others %t", group, got)
			}
		}
	}
	if without := (&people{known: map[uint32]bool{}}); without.others(0) || !without.others(50) {
		t.Error("without the files the group of root alone is known")
	}
}

// TestWhoDecides has the users who may own what the process loads, beside root.
func TestWhoDecides(t *testing.T) {
	for _, one := range []struct {
		user uint32
		sudo string
		want []uint32
	}{
		{0, "", []uint32{0}},
		{0, "1000", []uint32{0, 1000}},
		{0, "ana", []uint32{0}},
		{1000, "", []uint32{1000}},
		{1000, "1001", []uint32{1000}}, // whoever can set this runs as 1000 anyhow
		{990, "", nil},
		{990, "1000", []uint32{1000}}, // root started it with sudo, and it became a service
		{1, "", nil}, {999, "", nil}, {61183, "", []uint32{61183}}, {61184, "", nil}, {65519, "", nil}, {65520, "", []uint32{65520}},
		{65534, "", nil}, {65533, "", []uint32{65533}}, {65535, "", []uint32{65535}},
	} {
		if got := invokers(one.user, one.sudo); !slices.Equal(got, one.want) {
			t.Errorf("user %d, sudo %q: %v, want %v", one.user, one.sudo, got, one.want)
		}
	}
}

func TestUsersOutsideTheNamespace(t *testing.T) {
	for _, one := range []struct {
		uidMap, overflow string
		want             int64
	}{
		{"         0          0 4294967295\n", "65534\n", -1},
		{"0 1000 1\n", "65534\n", nobody},
		{"0 1000 1\n1 100000 65536\n", "12\n", 12},
		{"", "65534", -1}, {"0 1000 1\n", "", -1},
	} {
		if got := foreignOwner(one.uidMap, one.overflow); got != one.want {
			t.Errorf("%q, %q: %d, want %d", one.uidMap, one.overflow, got, one.want)
		}
	}
}

func TestTexts(t *testing.T) {
	if Text(nil) != "" || Lines(nil) != "" || Mend(nil) != "" {
		t.Error("nothing has a text")
	}
	var all []Finding
	for range Most + 2 {
		all = append(all, Finding{Path: "/a", Why: "owner 0, mode 0777", Mend: "chmod o-w /a"})
	}
	if got := Text(all); strings.Count(got, "/a (owner 0, mode 0777)") != Most || !strings.HasSuffix(got, " and 2 more") {
		t.Error(got)
	}
	if got := Lines(all); strings.Count(got, "\n") != Most+1 || !strings.HasSuffix(got, "    and 2 more\n") {
		t.Error(got)
	}
	if got := Mend(all[:2]); got != "chmod o-w /a && chmod o-w /a" {
		t.Error(got)
	}
	all[0].Use = "a.lua:1 runs it"
	if got := Lines(all[:1]); got != "    /a (owner 0, mode 0777; a.lua:1 runs it): run chmod o-w /a\n" {
		t.Error(got)
	}
}

// TestFilesThatCannotBeReadAgain: a process that confined itself knows what it read before.
func TestFilesThatCannotBeReadAgain(t *testing.T) {
	path := filepath.Join(t.TempDir(), "group")
	if text := textOf(path); text != "" {
		t.Errorf("it was never there: %q", text)
	}
	must(t, os.WriteFile(path, []byte("staff:x:50:\n"), 0o600))
	first := textOf(path)
	must(t, os.Remove(path))
	if again := textOf(path); first != "staff:x:50:\n" || again != first {
		t.Errorf("got %q, then %q", first, again)
	}
	if !(&people{groups: first, known: map[uint32]bool{}}).others(50) {
		t.Error("without passwd nobody has the group")
	}
}
