package effect

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"sesame/scripting/knockd"
)

// once makes a file of one-time sequences in a directory of its own.
func once(t testing.TB, content string) string {
	dir := t.TempDir()
	file := filepath.Join(dir, "once")
	if err := errors.Join(os.Chmod(filepath.Dir(dir), 0o755), os.WriteFile(file, []byte(content), 0o644)); err != nil {
		t.Fatal(err)
	}
	return file
}

// holds compares a file, which must be alone.
func holds(t testing.TB, file, want string) {
	t.Helper()
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, string(content)); diff != "" {
		t.Errorf("the file (-want +got):\n%s", diff)
	}
	names, err := os.ReadDir(filepath.Dir(file))
	if err != nil || len(names) != 1 {
		t.Errorf("beside the file: %v, %v", names, err)
	}
}

func TestCommentOut(t *testing.T) {
	for _, tt := range []struct{ name, line, before, after string }{
		{"the first byte goes", "7000,8000", "7000,8000\n9000\n", "#000,8000\n9000\n"},
		{"a blank before it is that byte", "7000", " 7000\n", "#7000\n"},
		{"a tab too", "7000", "\t 7000\t\n7001\n", "# 7000\t\n7001\n"},
		{"no newline at the end", "7001", "7000\n7001", "7000\n#001"},
		{"lines that end as in DOS", "7001", "7000\r\n7001\r\n", "7000\r\n#001\r\n"},
		{"the first of two", "1", "1\n1\n", "#\n1\n"},
		{"behind one that is commented out", "1000", "#000\n# 1000\n1000\n1000\n", "#000\n# 1000\n#000\n1000\n"},
		{"no part of a line", "7000", "7000,1\n1,7000\n", "7000,1\n1,7000\n"},
		{"no such line", "7000", "7001\n", "7001\n"},
		{"an empty file", "7000", "", ""},
		{"an empty line", "", "\n \n", "\n \n"},
		{"what is no sequence", "#7000", "#7000\n", "#7000\n"},
		{"bytes of all kinds", "7", "\x00\xff\n7\n\xfe", "\x00\xff\n#\n\xfe"},
		{"a line too long to be one", "7", strings.Repeat(" ", 4095) + "7\n7\n", strings.Repeat(" ", 4095) + "7\n#\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			file := once(t, tt.before)
			if err := CommentOut(file, tt.line); err != nil {
				t.Error(err)
			}
			holds(t, file, tt.after)
		})
	}
}

func TestAFileKeepsItsModeAndOwner(t *testing.T) {
	file := once(t, "7000\n")
	if err := os.Chmod(file, 0o640); err != nil {
		t.Fatal(err)
	}
	uid, gid := os.Getuid(), os.Getgid()
	if uid == 0 {
		uid, gid = 1234, 4321
		if err := os.Chown(file, uid, gid); err != nil {
			t.Fatal(err)
		}
	}
	if err := CommentOut(file, "7000"); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(file)
	if err != nil {
		t.Fatal(err)
	}
	owner := info.Sys().(*syscall.Stat_t)
	if info.Mode() != 0o640 || int(owner.Uid) != uid || int(owner.Gid) != gid {
		t.Errorf("it has mode %v and belongs to %d:%d", info.Mode(), owner.Uid, owner.Gid)
	}
	holds(t, file, "#000\n")
}

func TestBehindALinkTheFileIsChanged(t *testing.T) {
	file := once(t, "7000\n")
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(file, link); err != nil {
		t.Fatal(err)
	}
	if err := CommentOut(link, "7000"); err != nil {
		t.Fatal(err)
	}
	holds(t, file, "#000\n")
	if target, err := os.Readlink(link); err != nil || target != file {
		t.Errorf("the link leads to %q, %v", target, err)
	}
}

func TestWhatCannotBeCommentedOut(t *testing.T) {
	file := once(t, "7000\n")
	fifo := filepath.Join(t.TempDir(), "fifo")
	if err := unix.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ file, want string }{
		{file + "x", "commenting out a used sequence in " + file + "x: no such file or directory"},
		{filepath.Dir(file), "it is no regular file"},
		{fifo, "it is no regular file"},
		{once(t, "7000\n"+strings.Repeat("#", 1<<20)), "it has 1048581 bytes: expected at most 1048576"},
	} {
		if err := CommentOut(tt.file, "7000"); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v, want %q", tt.file, err, tt.want)
		}
	}
}

// asNobody runs f as a user who may do nothing, if we are root.
func asNobody(f func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		if os.Getuid() == 0 {
			runtime.LockOSThread() // and never unlocked, so that the thread ends
			_ = unix.Setfsgid(65534)
			_ = unix.Setfsuid(65534)
		}
		f()
	}()
	<-done
}

func TestAFileThatIsNotOursIsLeftAlone(t *testing.T) {
	file := once(t, "7000\n")
	dir := filepath.Dir(file)
	if err := os.Chmod(dir, 0o555); err != nil {
		t.Fatal(err)
	}
	asNobody(func() {
		err := CommentOut(file, "7000")
		if err == nil || !strings.HasSuffix(err.Error(), "permission denied: let the daemon write the file and its directory; under systemd, name the directory in ReadWritePaths=") {
			t.Errorf("a directory that cannot be written: %v", err)
		}
	})
	holds(t, file, "7000\n")
	if os.Getuid() != 0 {
		t.Skip("what belongs to others takes root to make")
	}
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	asNobody(func() {
		err := CommentOut(file, "7000")
		if err == nil || !strings.HasSuffix(err.Error(), "it would change its owner: give it to the user and group of the daemon: operation not permitted") {
			t.Errorf("an owner that cannot be kept: %v", err)
		}
	})
	holds(t, file, "7000\n")
}

// steps are the changes of the disk that commentOut makes.
var steps = []string{"create", "write", "flush", "rename", "flush the directory"}

func TestCommentOutThatFailsAtAnyStep(t *testing.T) {
	for i, at := range steps {
		file := once(t, "7000\n7001\n")
		var past []string
		err := commentOut(file, "7001", func(name string) error {
			if past = append(past, name); name == at {
				return unix.ENOSPC
			}
			return nil
		})
		if !errors.Is(err, unix.ENOSPC) || !slices.Equal(past, steps[:i+1]) {
			t.Errorf("%s: got %v after %v", at, err, past)
		}
		if at == "flush the directory" {
			holds(t, file, "7000\n#001\n") // as far as one can know
		} else {
			holds(t, file, "7000\n7001\n")
		}
	}
}

func TestCommentOutAfterACrashAtAnyStep(t *testing.T) {
	for _, at := range steps {
		file := once(t, "7000\n7001\n")
		func() {
			defer func() { _ = recover() }()
			_ = commentOut(file, "7001", func(name string) error {
				if name == at {
					panic("the machine stops")
				}
				return nil
			})
		}()
		if content, err := os.ReadFile(file); err != nil || string(content) != "7000\n7001\n" && string(content) != "7000\n#001\n" {
			t.Errorf("%s: it holds %q, %v", at, content, err)
		}
		if err := CommentOut(file, "7001"); err != nil {
			t.Errorf("%s: %v", at, err)
		}
		holds(t, file, "7000\n#001\n")
	}
}

func TestWhatSomebodyWritesMeanwhileIsKept(t *testing.T) {
	file := once(t, "7000\n7001\n")
	content := "7000\n7001\n"
	write := func(name string) error {
		if name != "rename" {
			return nil
		}
		content += "7002\n"
		return os.WriteFile(file, []byte(content), 0o644)
	}
	for _, times := range []int{1, 4} {
		if err := commentOut(file, "7001", func(name string) error {
			if times == 0 {
				return nil
			}
			if name == "rename" {
				times--
			}
			return write(name)
		}); err != nil {
			t.Error(err)
		}
		content = strings.Replace(content, "7001", "#001", 1)
		holds(t, file, content)
		content = strings.Replace(content, "#001", "7001", 1)
		if err := os.WriteFile(file, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := commentOut(file, "7001", write); !errors.Is(err, errChanged) {
		t.Errorf("got %v", err)
	}
	holds(t, file, content)
}

// A daemon may be given one file by two names, and another daemon may have it too.
func TestManyCommentOutLinesOfAFileAtOnce(t *testing.T) {
	file := once(t, "")
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(file, link); err != nil {
		t.Fatal(err)
	}
	for range 50 {
		if err := os.WriteFile(file, []byte("7000\n7001\n7002\n7003\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		var marks sync.WaitGroup
		for i, name := range []string{file, link, file, link} {
			marks.Go(func() {
				if err := CommentOut(name, fmt.Sprint(7000+i)); err != nil {
					t.Error(err)
				}
			})
		}
		if marks.Wait(); t.Failed() {
			return
		}
		holds(t, file, "#000\n#001\n#002\n#003\n")
	}
}

// A file that is written right now may lack a line that it will have again.
func TestWhatChangesWhileItIsReadIsReadAgain(t *testing.T) {
	file := once(t, "7000\n")
	dir, err := os.OpenRoot(filepath.Dir(file))
	if err != nil {
		t.Fatal(err)
	}
	defer dir.Close()
	other := filepath.Join(t.TempDir(), "other")
	for _, tt := range []struct {
		name   string
		change func() error
	}{
		{"it is cut", func() error { return os.Truncate(file, 0) }},
		{"another is put in its place", func() error { return errors.Join(os.WriteFile(other, []byte("8000\n"), 0o644), os.Rename(other, file)) }},
		{"a FIFO is put in its place", func() error { return errors.Join(unix.Mkfifo(other, 0o644), os.Rename(other, file)) }},
	} {
		c := change{dir: dir, name: filepath.Base(file)}
		before, err := dir.Lstat(c.name)
		if err := errors.Join(err, tt.change()); err != nil {
			t.Fatal(err)
		}
		file, err := c.open(before)
		if err == nil {
			_, err = c.read(file, before)
			_ = file.Close() // it only read
		}
		if !errors.Is(err, errChanged) {
			t.Errorf("%s: it is read, with %v", tt.name, err)
		}
	}
}

// The reader of such files finds the commented line used, and nothing else.
func FuzzCommentOut(f *testing.F) {
	for _, seed := range []string{"7000,8000\n 9000 \r\n#1\n7000,8000", "a\n\nb:udp\x00\n", " 1\n1\n\v1\f\n", strings.Repeat(" ", 4090) + "70000\n7\n"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		before, _ := knockd.Unused(content)
		for i, s := range before {
			now := slices.Clone(content)
			at := usable(now, s.Text)
			if at < 0 {
				t.Fatalf("%q is not found in %q", s.Text, content)
			}
			now[at] = '#'
			after, _ := knockd.Unused(now)
			first := slices.IndexFunc(before, func(other knockd.Sequence) bool { return other.Text == s.Text })
			if want := slices.Delete(slices.Clone(before), first, first+1); !cmp.Equal(want, after) && len(want)+len(after) > 0 {
				t.Fatalf("sequence %d of %q: after it was commented out there are %v, want %v", i, content, after, want)
			}
		}
	})
}
