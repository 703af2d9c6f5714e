package state

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"

	"pgregory.net/rapid"

	"sesame/daemon/engine"
)

// TestACrashLosesNothingThatWasPromised appends random records to a journal on a
// disk that fails and machines that stop, between any two steps and in the
// middle of one. What Append returned nil for must be there afterwards, and what
// it ended must stay away.
func TestACrashLosesNothingThatWasPromised(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newPromises(t)
		for range rapid.IntRange(1, 8).Draw(t, "lives") {
			w.live()
		}
	})
}

// promises holds what a journal promised, and what it was asked to write since.
type promises struct {
	t     *rapid.T
	dir   string
	kept  map[string]int   // the version of each thing, or how often it was used; 0: it is not there
	asked map[string][]int // versions that may have been written
	next  int              // version
	ids   uint64           // the highest that was promised
}

func newPromises(t *rapid.T) *promises {
	dir, err := os.MkdirTemp("", "state")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return &promises{t: t, dir: dir, kept: map[string]int{}, asked: map[string][]int{}}
}

// live opens the directory, checks what it says, appends, and crashes.
func (w *promises) live() {
	before := w.dir
	d, err := Open(filepath.Join(before, "state"))
	if err != nil {
		w.t.Fatal(err)
	}
	defer d.Close()
	m := newMachine(w.t, d)
	if m.runs(func() { w.recover(d) }) {
		for range rapid.IntRange(0, 20).Draw(w.t, "appends") {
			if !m.runs(func() { w.append(d) }) {
				break
			}
		}
	}
	after, err := os.MkdirTemp("", "state")
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { os.RemoveAll(after) })
	if err := os.Mkdir(filepath.Join(after, "state"), 0o700); err != nil {
		w.t.Fatal(err)
	}
	m.leave(filepath.Join(after, "state"))
	w.dir = after
}

func (w *promises) recover(d *Dir) {
	got, err := d.Recover(time.Unix(1000, 0))
	if err != nil {
		w.t.Fatalf("recovering: %v", err)
	}
	found := map[string]int{}
	last := uint64(0)
	for _, r := range got.Records {
		switch {
		case r.Ended:
			last = r.Grant.ID
		case r.Grant != nil:
			found[fmt.Sprint(r.Grant.ID)] = int(r.Grant.TTL)
		case r.Consumed != nil:
			found[r.Consumed.Line]++
		default:
			found[r.Store.Key] = int(r.Store.Value.(float64))
		}
	}
	if last < w.ids {
		w.t.Fatalf("the highest id is %d, want %d at least", last, w.ids)
	}
	for key := range maps.Keys(w.merged(found)) {
		if got := found[key]; got != w.kept[key] && !slices.Contains(w.asked[key], got) {
			w.t.Fatalf("%s has version %d, want %d or one of %v", key, got, w.kept[key], w.asked[key])
		}
	}
	w.kept, w.asked = found, map[string][]int{}
}

func (w *promises) merged(found map[string]int) map[string]int {
	all := maps.Clone(found)
	maps.Copy(all, w.kept)
	return all
}

func (w *promises) append(d *Dir) {
	if rapid.IntRange(0, 4).Draw(w.t, "compact") == 0 {
		d.journal.limit = 0
	}
	var records []engine.Record
	versions := map[string]int{}
	ids := w.ids
	for range rapid.IntRange(1, 3).Draw(w.t, "records") {
		key := rapid.SampledFrom([]string{"1", "2", "3", "a", "b", "x", "y"}).Draw(w.t, "key")
		w.next++
		version := w.next
		gone := rapid.Bool().Draw(w.t, "gone")
		if gone {
			version = 0
		}
		r := engine.Record{Script: "s.lua", Store: &engine.Put{Key: key, Value: float64(version)}}
		if id := uint64(key[0] - '0'); id < 10 {
			r = engine.Record{Grant: &engine.Grant{ID: id, TTL: time.Duration(version), End: time.Unix(2000, 0), Door: pad(w.next)}, Ended: gone}
			ids = max(ids, id)
		} else if key >= "x" {
			r = engine.Record{Consumed: &engine.Consumed{File: "/once", Line: key}, Ended: gone}
			used, twice := versions[key]
			if !twice {
				used = w.kept[key]
			}
			if version = used + 1; gone {
				version = max(0, used-1)
			}
		} else if gone {
			r.Store.Value = nil
		}
		records = append(records, r)
		versions[key] = version
		w.asked[key] = append(w.asked[key], version)
	}
	if d.Append(records, 0) == nil {
		maps.Copy(w.kept, versions)
		w.asked, w.ids = map[string][]int{}, ids
	}
}

// pad makes records of very different lengths.
func pad(n int) string { return fmt.Sprintf("%0*d", 1+n*n%977, n) }

// A machine is a disk that fails, and forgets what was not flushed.
type machine struct {
	t       *rapid.T
	real    disk
	shaky   bool // whether steps fail at all
	stopped bool
	names   map[string]*inode // as a power cut would leave them
	moves   []move            // that the directory was not yet flushed after
	inodes  map[*os.File]*inode
	root    string
}

// An inode is a file as the disk has it.
type inode struct {
	content  []byte // flushed
	pending  []step
	doubtful []step // a flush failed: the disk may have them or not, whatever is flushed later
}

// A step is a write, or a cut.
type step struct {
	cut  bool
	data []byte
	at   int64
}

// A move gives a file a name, which "from" loses.
type move struct {
	from, to string
	inode    *inode
}

type stop struct{}

func newMachine(t *rapid.T, d *Dir) *machine {
	m := &machine{
		t: t, real: realDisk(), shaky: rapid.Bool().Draw(t, "shaky"), names: map[string]*inode{},
		inodes: map[*os.File]*inode{}, root: d.path,
	}
	for _, name := range []string{journalName, journalName + newSuffix} {
		if content, err := os.ReadFile(filepath.Join(d.path, name)); err == nil {
			m.names[name] = &inode{content: content}
		}
	}
	d.disk = disk{create: m.create, write: m.write, cut: m.cut, flush: m.flush, rename: m.rename, flushDir: m.flushDir}
	return m
}

// runs reports whether the machine was still running after f.
func (m *machine) runs(f func()) (running bool) {
	defer func() {
		if r := recover(); r != nil {
			if _, ok := r.(stop); !ok {
				panic(r)
			}
			m.stopped, running = true, false
		}
	}()
	f()
	return true
}

// step stops the machine, or returns an error, or nil.
func (m *machine) step(name string) error {
	switch n := rapid.IntRange(0, 49).Draw(m.t, name); {
	case n == 49:
		panic(stop{})
	case n > 40 && m.shaky:
		return &os.PathError{Op: name, Path: "journal", Err: syscall.ENOSPC}
	}
	return nil
}

func (m *machine) create(root *os.Root, name string) (*os.File, error) {
	if err := m.step("create"); err != nil {
		return nil, err
	}
	// A new inode, so that each file has one of its own here.
	if err := root.Remove(name); err != nil && !os.IsNotExist(err) {
		m.t.Fatal(err)
	}
	file, err := m.real.create(root, name)
	if err != nil {
		m.t.Fatal(err)
	}
	m.inodes[file] = &inode{}
	m.moves = append(m.moves, move{"", name, m.inodes[file]})
	return file, nil
}

func (m *machine) write(f *os.File, b []byte, offset int64) error {
	err := m.step("write")
	if err != nil {
		b = b[:len(b)-rapid.IntRange(0, len(b)).Draw(m.t, "unwritten")]
	}
	if e := m.real.write(f, b, offset); e != nil {
		m.t.Fatal(e)
	}
	n := m.inodes[f]
	n.pending = append(n.pending, step{data: slices.Clone(b), at: offset})
	return err
}

func (m *machine) cut(f *os.File, size int64) error {
	if err := m.step("cut"); err != nil {
		return err
	}
	n := m.inodes[f]
	n.pending = append(n.pending, step{cut: true, at: size})
	return m.real.cut(f, size)
}

func (m *machine) flush(f *os.File) error {
	n := m.inodes[f]
	if err := m.step("flush"); err != nil {
		n.doubtful, n.pending = append(n.doubtful, n.pending...), nil
		return err
	}
	for _, s := range n.pending {
		n.content = s.on(n.content)
	}
	n.pending = nil
	return nil
}

func (m *machine) rename(root *os.Root, from, to string) error {
	if err := m.step("rename"); err != nil {
		return err
	}
	var moved *inode
	for f, n := range m.inodes {
		if same(m.t, f, filepath.Join(m.root, from)) {
			moved = n
		}
	}
	m.moves = append(m.moves, move{from, to, moved})
	return m.real.rename(root, from, to)
}

func same(t *rapid.T, f *os.File, path string) bool {
	a, err := f.Stat()
	if err != nil {
		return false // closed
	}
	b, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return os.SameFile(a, b)
}

func (m *machine) flushDir(*os.Root) error {
	if err := m.step("flushDir"); err != nil {
		return err
	}
	m.move(len(m.moves))
	return nil
}

// move makes the first n moves last.
func (m *machine) move(n int) {
	for _, mv := range m.moves[:n] {
		delete(m.names, mv.from)
		m.names[mv.to] = mv.inode
	}
	m.moves = m.moves[n:]
}

func (s step) on(content []byte) []byte {
	if s.cut {
		if s.at <= int64(len(content)) {
			return content[:s.at:s.at]
		}
		return append(content[:len(content):len(content)], make([]byte, s.at-int64(len(content)))...)
	}
	end := s.at + int64(len(s.data))
	longer := append(content[:len(content):len(content)], make([]byte, max(0, end-int64(len(content))))...)
	copy(longer[s.at:], s.data)
	return longer
}

// leave writes to dir what is left: after a killed process all that it wrote,
// after a power cut what was flushed, and of the rest any part.
func (m *machine) leave(dir string) {
	if rapid.Bool().Draw(m.t, "killed") {
		if err := os.CopyFS(dir, os.DirFS(m.root)); err != nil && !os.IsExist(err) {
			m.t.Fatal(err)
		}
		return
	}
	m.move(rapid.IntRange(0, len(m.moves)).Draw(m.t, "moves"))
	for name, n := range m.names {
		content := n.content
		for _, s := range append(n.doubtful, n.pending...) {
			switch rapid.IntRange(0, 3).Draw(m.t, "reached the disk") {
			case 0:
			case 1:
				content = s.on(content)
			case 2: // the length did, and not the data
				if !s.cut {
					content = step{data: make([]byte, len(s.data)), at: s.at}.on(content)
				}
			case 3: // some of it
				if !s.cut {
					content = step{data: s.data[:rapid.IntRange(0, len(s.data)).Draw(m.t, "torn")], at: s.at}.on(content)
				}
			}
		}
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			m.t.Fatal(err)
		}
	}
}
