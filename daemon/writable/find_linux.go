package writable

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

// maxLinks is how many symbolic links the kernel follows in one path (MAXSYMLINKS in
// include/linux/namei.h).
const maxLinks = 40

// Find returns what other users can change of the targets, of the directories above them, and of
// the symbolic links on the way, each path once. What is gone is not found, unless others can
// create it. It reads no file but /etc/passwd, /etc/group and files below /proc, and waits for the
// disk.
func Find(targets []Target) []Finding {
	l := &look{people: newPeople(), seen: map[step]bool{}}
	for _, t := range targets {
		l.walk(t)
	}
	return l.found
}

// A look is one call of Find.
type look struct {
	people *people
	owner  uint32 // of the target that is walked to
	seen   map[step]bool
	found  []Finding
}

// A step is a path that was judged. The same path may be judged in another way for another target.
type step struct {
	path   string
	listed bool
	owner  uint32
}

// owned reports whether a user may own a path on the way to the target.
func (l *look) owned(user uint32) bool { return user == l.owner || l.people.trusted(user) }

// walk follows a path as the kernel does, and judges each step.
func (l *look) walk(t Target) {
	at, rest, links := "/", parts(t.Path), 0
	l.owner = t.Owner
	l.judge(at, len(rest) == 0 && t.Listed, Target{})
	for len(rest) > 0 {
		name := rest[0]
		rest = rest[1:]
		if name == ".." { // of a link: the path itself is clean
			at = filepath.Dir(at)
			continue
		}
		next := filepath.Join(at, name)
		info, err := os.Lstat(next)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			l.judge(at, true, Target{Use: "others can make " + next})
			return
		case err != nil:
			return
		case info.Mode()&fs.ModeSymlink != 0:
			to, err := os.Readlink(next)
			if links++; err != nil || links > maxLinks {
				return
			}
			l.judgeLink(at, next, info)
			if filepath.IsAbs(to) {
				at = "/"
			}
			rest = append(parts(to), rest...)
			continue
		}
		if at = next; len(rest) == 0 {
			l.judge(at, t.Listed, t)
		} else {
			l.judge(at, false, Target{})
		}
	}
}

func parts(path string) []string {
	return strings.FieldsFunc(path, func(c rune) bool { return c == '/' })
}

// judge adds a finding when others can change a file, or a directory so that it leads elsewhere.
func (l *look) judge(path string, listed bool, t Target) {
	at := step{path, listed, l.owner}
	if l.seen[at] {
		return
	}
	l.seen[at] = true
	info, err := os.Lstat(path)
	if err != nil {
		return
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return
	}
	who := l.writers(path, info, stat)
	if info.IsDir() && info.Mode()&fs.ModeSticky != 0 && !listed {
		who = "" // others can add files, and exchange only their own
	}
	l.add(path, stat, info.Mode(), who, t.Use)
}

// judgeLink adds a finding when somebody else owns a symbolic link and can exchange it: in a sticky
// directory that others can write.
func (l *look) judgeLink(dir, path string, info fs.FileInfo) {
	parent, err := os.Lstat(dir)
	at := step{path: path, owner: l.owner}
	if err != nil || parent.Mode()&fs.ModeSticky == 0 || l.seen[at] {
		return
	}
	l.seen[at] = true
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok || l.owned(stat.Uid) {
		return
	}
	f := Finding{Path: path, Why: fmt.Sprintf("a symbolic link of owner %d", stat.Uid)}
	f.mends("chown -h root")
	l.found = append(l.found, f)
}

// writers returns whose writing a mode allows: "g", "o", "go" or "".
func (l *look) writers(path string, info fs.FileInfo, stat *syscall.Stat_t) (who string) {
	mode := info.Mode().Perm()
	// With an ACL the bits of the group are the mask of all its entries (acl(5)). So an entry can
	// write only if the group's bit is set, and chmod g-w takes that from all of them.
	if mode&0o020 != 0 && l.groupWrites(path, stat.Gid) {
		who = "g"
	}
	if mode&0o002 != 0 {
		who += "o"
	}
	return who
}

func (l *look) groupWrites(path string, group uint32) bool {
	acl, ok := readACL(path)
	if !ok {
		return l.people.others(group)
	}
	for _, user := range acl.users {
		if !l.people.trusted(user) {
			return true
		}
	}
	for _, named := range acl.groups {
		if l.people.others(named) {
			return true
		}
	}
	return acl.owning && l.people.others(group)
}

// add adds a finding, unless nobody else can write and the owner is trusted. An owner can always
// change the mode.
func (l *look) add(path string, stat *syscall.Stat_t, mode fs.FileMode, who, use string) {
	trusted := l.owned(stat.Uid)
	if who == "" && trusted {
		return
	}
	f := Finding{Path: path, Use: use, Why: fmt.Sprintf("owner %d, mode %04o", stat.Uid, octal(mode))}
	var mend []string
	switch {
	case trusted:
	case l.people.unknown(stat.Uid):
		f.Why += "; who the owner is cannot be seen in this user namespace"
	default:
		mend = append(mend, "chown root")
	}
	if who != "" {
		mend = append(mend, "chmod "+who+"-w")
	}
	f.mends(mend...)
	if !slices.ContainsFunc(l.found, func(known Finding) bool { return known.Path == path }) {
		l.found = append(l.found, f)
	}
}

// octal returns the mode as ls and chmod write it, with the sticky bit.
func octal(mode fs.FileMode) uint32 {
	n := uint32(mode.Perm())
	if mode&fs.ModeSticky != 0 {
		n |= 0o1000
	}
	return n
}

// mends adds the commands to a finding. Other users may have chosen the path, and a person may
// paste the commands into a shell.
func (f *Finding) mends(commands ...string) {
	word, ok := ShellWord(f.Path)
	if !ok {
		return
	}
	for i, c := range commands {
		commands[i] = c + " " + word
	}
	f.Mend = strings.Join(commands, " && ")
}
