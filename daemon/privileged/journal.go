//go:build linux

package privileged

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"sesame/daemon/wire"
)

// Files of the helper's directory.
const (
	journalName = "undos"
	lockName    = "lock"
	setName     = "scripts" // the archive of the last set that loaded
	newSuffix   = ".new"
)

// Bounds of the journal. A daemon that was taken over may have as many undos as it likes.
const (
	maxOwed      = 1 << 16
	maxOwedBytes = 64 << 20
	maxEntryLine = 8 << 20 // maxFilled with each byte escaped
	minRewrite   = 1 << 20 // a journal that is longer, and four times what counts, is written anew
	maxOver      = 1 << 12
)

// A line of the journal is the CRC-32C of its JSON in hexadecimal, a space, the JSON and a newline.
// One of the fields is set.
type line struct {
	Owed  *owed      `json:"owed,omitempty"`
	Done  uint64     `json:"done,omitempty"` // the ID of an undo that is owed no longer
	Newer *newerLine `json:"newer,omitempty"`
}

// A journal holds the undos that are owed, in a directory that only the user of this process can
// use. Its methods may be called from any goroutine. A disk that hangs holds up none of them for
// longer than journalPatience: see journal_write.go.
type journal struct {
	root *os.Root
	lock *os.File

	// Only the write that runs uses these, of which there is one at most.
	file   *os.File
	size   int64 // of the file
	broken bool  // the end of the file is not known: it is written anew before anything else

	mu      sync.Mutex // guards the rest
	live    int        // bytes of the lines of owed undos
	last    uint64
	undos   []*owed // in the order of their IDs
	newer   []*newerLine
	over    []hash // of undos that are owed no longer, the latest maxOver
	queue   []*entry
	running chan struct{} // closed when the write has ended; nil: none runs
	began   time.Time     // when the write began

	store func(text []byte, whole bool) error // storeFile; replaced in tests
}

// openJournal opens a directory, makes it when it is not there, and reads the journal in it.
// damaged is how many lines could not be read. Only one process has it open.
func openJournal(dir string) (j *journal, damaged int, err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, 0, fmt.Errorf("making the helper's directory: %w", err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, 0, fmt.Errorf("opening the helper's directory: %w", err)
	}
	j = &journal{root: root}
	j.store = j.storeFile
	if err = j.claim(dir); err == nil {
		damaged, err = j.read()
	}
	if err == nil {
		err = j.replace(j.lines())
	}
	if err != nil {
		return nil, 0, errors.Join(err, j.close())
	}
	return j, damaged, nil
}

// errInUse means that another helper has the journal.
var errInUse = errors.New("another helper uses the directory")

// claim checks who can write to the directory, and locks it.
func (j *journal) claim(dir string) error {
	info, err := j.root.Stat(".")
	if err != nil {
		return fmt.Errorf("looking at the helper's directory: %w", err)
	}
	if owner, ok := info.Sys().(*syscall.Stat_t); ok && int(owner.Uid) != os.Geteuid() {
		return fmt.Errorf("the helper's directory %s belongs to user %d, who could have any command run: give it to user %d", dir, owner.Uid, os.Geteuid())
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		return fmt.Errorf("others can use the helper's directory %s (mode %04o): run chmod 0700 %s", dir, mode, dir)
	}
	j.lock, err = j.root.OpenFile(lockName, os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW, 0o600)
	if err == nil {
		err = unix.Flock(int(j.lock.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	}
	if errors.Is(err, unix.EWOULDBLOCK) {
		return fmt.Errorf("%w %s", errInUse, dir)
	}
	if err != nil {
		return fmt.Errorf("locking the helper's directory: %w", err)
	}
	return nil
}

// read reads the file. What is damaged is left out: a crash leaves half of the last line at most.
func (j *journal) read() (damaged int, err error) {
	file, err := j.root.OpenFile(journalName, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if errors.Is(err, os.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("opening the journal of undos: %w", err)
	}
	defer file.Close()
	lines := bufio.NewReaderSize(file, 64<<10)
	for {
		text, err := readLine(lines)
		if errors.Is(err, io.EOF) && len(text) == 0 {
			return damaged, nil
		}
		if err != nil && !errors.Is(err, io.EOF) {
			return damaged, fmt.Errorf("reading the journal of undos: %w", err)
		}
		if body, right := checked(text); !right || !j.understand(body, 0) {
			damaged++
		}
	}
}

// readLine reads a line without its newline. One that is too long is read to its end, and returned
// in part.
func readLine(r *bufio.Reader) (text []byte, err error) {
	for {
		part, err := r.ReadSlice('\n')
		if len(text) <= maxEntryLine {
			text = append(text, part...)
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return bytes.TrimSuffix(text, []byte("\n")), err
		}
	}
}

// checked returns the JSON of a line, and whether its checksum is right.
func checked(text []byte) (body []byte, right bool) {
	sum, body, found := bytes.Cut(text, []byte(" "))
	return body, found && len(text) <= maxEntryLine && string(sum) == checksum(body)
}

// isValid reports whether this version writes such a line.
func (l *line) isValid() bool {
	if l.Owed == nil {
		return l.Done != 0
	}
	return l.Done == 0 && l.Owed.ID != 0 && len(l.Owed.Argv) > 0 && l.Owed.Timeout > 0
}

func checksum(b []byte) string {
	return fmt.Sprintf("%08x", crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli)))
}

func (l line) text() ([]byte, error) {
	body, err := json.Marshal(l)
	if err != nil {
		return nil, err
	}
	return fmt.Appendf(nil, "%s %s\n", checksum(body), body), nil
}

// apply changes what is owed as a line says.
func (j *journal) apply(l line) {
	if o := l.Owed; o != nil {
		o.hash = undoHash(wire.Convert[string](o.Argv))
		if text, err := l.text(); err == nil {
			o.size = len(text)
		}
		j.last = max(j.last, o.ID)
		j.forgetNewer(o.ID)
		j.live += o.size
		j.undos = append(j.undos, o)
		return
	}
	j.forgetNewer(l.Done)
	if i := slices.IndexFunc(j.undos, func(o *owed) bool { return o.ID == l.Done }); i >= 0 {
		j.live -= j.undos[i].size
		if j.over = append(j.over, j.undos[i].hash); len(j.over) > 2*maxOver {
			j.over = slices.Clone(j.over[maxOver:])
		}
		j.undos = slices.Delete(j.undos, i, i+1)
	}
}

// take returns the oldest owed undo with this hash that does not run, and notes that it runs now.
// Otherwise it returns a channel that is closed when one has ended that runs, and nil when none is
// owed.
func (j *journal) take(h hash) (*owed, <-chan struct{}) {
	j.mu.Lock()
	defer j.mu.Unlock()
	var over <-chan struct{}
	for _, o := range j.undos {
		switch {
		case o.hash != h:
		case o.over != nil:
			over = o.over
		default:
			o.over = make(chan struct{})
			return o, nil
		}
	}
	return nil, over
}

// ranBefore reports whether an undo with this hash was owed, and is no longer: it ran, or its
// command failed. A daemon asks again when it did not get the answer. Of what was over before this
// process only that is known which the file still has. Undos count by their arguments, not by their
// grants: what these undo is undone when one of them has run, whichever command it was for.
func (j *journal) ranBefore(h hash) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	return slices.Contains(j.over, h)
}

// takeUnclaimed returns the undos of commands of earlier sessions that nobody claimed, and notes
// that they run now. claims counts the claims for each hash, and is used up.
func (j *journal) takeUnclaimed(claims map[hash]int, session uint64) (unclaimed []*owed) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, o := range slices.Backward(j.undos) { // the daemon lost its oldest records, if any
		switch {
		case o.over != nil || o.session == session:
		case claims[o.hash] > 0:
			claims[o.hash]--
		default:
			o.over = make(chan struct{})
			unclaimed = append(unclaimed, o)
		}
	}
	slices.Reverse(unclaimed)
	return unclaimed
}

// putBack notes that an undo that was taken does not run any more. It is owed still, unless its
// command failed meanwhile.
func (j *journal) putBack(o *owed) {
	j.mu.Lock()
	defer j.mu.Unlock()
	o.release()
}

// owes reports whether an undo that was taken is owed still.
func (j *journal) owes(o *owed) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	return !o.gone
}

// list returns the arguments of the undos that are owed, for the log and for tests.
func (j *journal) list() (all []string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, o := range j.undos {
		all = append(all, strings.Join(wire.Convert[string](o.Argv), " "))
	}
	return all
}
