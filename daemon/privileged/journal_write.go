//go:build linux

package privileged

import (
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// This file brings lines of the journal to the disk, in a goroutine of its own, since a disk may
// hang for hours. One write runs at a time, and takes all lines that wait, in their order.
//
// A command with an undo waits for its line. When that takes too long the command is refused, and
// the line, which may still get to the disk, is followed by one that takes it back. Nothing else
// waits: what is owed no longer is so in memory at once, and runs once more after a crash.

// journalPatience is how long anybody waits for the disk.
const journalPatience = time.Second

var errDiskHangs = errors.New("the disk does not answer")

// An entry is a line that waits to be written.
type entry struct {
	line
	text      []byte
	done      chan error // capacity 1
	abandoned bool       // nobody waits for it any more
}

// owe notes an undo. When it returns nil the undo is on the disk, and its command may run. ended is
// to be closed when the command has ended.
func (j *journal) owe(o *owed) error {
	j.mu.Lock()
	o.ID, o.ended = j.last+1, make(chan struct{})
	text, err := line{Owed: o}.text()
	switch {
	case err != nil:
	case len(j.undos)+len(j.queue) >= maxOwed || j.live+len(text) > maxOwedBytes:
		err = fmt.Errorf("%d undos are pending already, of %d KiB", len(j.undos), j.live>>10)
	case j.hangs():
		err = errDiskHangs
	}
	if err != nil {
		j.mu.Unlock()
		return fmt.Errorf("noting an undo: %w", err)
	}
	j.last = o.ID
	e := j.enqueue(line{Owed: o}, text)
	j.mu.Unlock()
	if err := j.await(e); err != nil {
		return fmt.Errorf("noting an undo: %w", err)
	}
	return nil
}

// done notes that an undo is owed no longer. When it cannot be written, the undo may run once more
// after the next start, as after a crash.
func (j *journal) done(o *owed) error {
	j.mu.Lock()
	o.release()
	if o.gone {
		j.mu.Unlock()
		return nil
	}
	o.gone = true
	l := line{Done: o.ID}
	j.apply(l)
	text, err := l.text()
	if err != nil {
		j.mu.Unlock()
		return fmt.Errorf("noting that an undo ran: %w", err)
	}
	hangs := j.hangs()
	e := j.enqueue(l, text)
	j.mu.Unlock()
	if err = errDiskHangs; !hangs {
		err = j.await(e)
	}
	if err != nil {
		return fmt.Errorf("noting that an undo ran: %w", err)
	}
	return nil
}

// hangs reports whether a write takes too long. The caller holds the lock.
func (j *journal) hangs() bool {
	return j.running != nil && now().Sub(j.began) >= journalPatience
}

// enqueue lets a line be written. The caller holds the lock.
func (j *journal) enqueue(l line, text []byte) *entry {
	e := &entry{line: l, text: text, done: make(chan error, 1)}
	j.queue = append(j.queue, e)
	if j.running == nil {
		j.running, j.began = make(chan struct{}), now()
		go j.write()
	}
	return e
}

// await waits until a line is on the disk.
func (j *journal) await(e *entry) error {
	select {
	case err := <-e.done:
		return err
	case <-after(journalPatience):
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	select {
	case err := <-e.done:
		return err
	default:
		e.abandoned = true
		return errDiskHangs
	}
}

// write writes until no line waits.
func (j *journal) write() {
	j.mu.Lock()
	defer j.mu.Unlock()
	for len(j.queue) > 0 {
		batch, text := j.queue, []byte(nil)
		whole := j.broken || j.size > max(minRewrite, int64(4*(j.live+j.newerSize())))
		if whole {
			text = j.lines()
		}
		for _, e := range batch {
			text = append(text, e.text...)
		}
		j.queue, j.began = nil, now()
		j.mu.Unlock()
		err := j.store(text, whole)
		j.mu.Lock()
		for _, e := range batch {
			j.written(e, err)
		}
	}
	close(j.running)
	j.running = nil
}

// written notes how writing a line ended. The caller holds the lock.
func (j *journal) written(e *entry, err error) {
	switch {
	case err != nil || e.Owed == nil:
	case e.abandoned: // its command did not run
		l := line{Done: e.Owed.ID}
		if text, err := l.text(); err == nil {
			j.queue = append(j.queue, &entry{line: l, text: text, done: make(chan error, 1)})
		}
	default:
		j.apply(e.line)
	}
	e.done <- err
}

// lines returns what a file has that says what is owed. The caller holds the lock.
func (j *journal) lines() (content []byte) {
	for _, n := range j.newer {
		if n.old {
			continue
		}
		if text, err := (line{Newer: n}).text(); err == nil {
			content = append(content, text...)
		}
	}
	for _, o := range j.undos {
		if text, err := (line{Owed: o}).text(); err == nil { // as it was when it was noted
			content = append(content, text...)
		}
	}
	return content
}

// storeFile appends text to the file, or replaces the file by it, and waits for the disk.
func (j *journal) storeFile(text []byte, whole bool) error {
	if whole {
		return j.replace(text)
	}
	_, err := j.file.WriteAt(text, j.size)
	if err == nil {
		err = unix.Fdatasync(int(j.file.Fd()))
	}
	if err == nil {
		j.size += int64(len(text))
		return nil
	}
	j.broken = true // the text may be there, or part of it
	j.mu.Lock()
	owed := j.lines()
	j.mu.Unlock()
	return errors.Join(err, j.replace(owed))
}

// replace replaces the file by one with this content.
func (j *journal) replace(content []byte) error {
	file, err := replaceFile(j.root, journalName, func(w io.Writer) error { _, err := w.Write(content); return err })
	if err != nil {
		return fmt.Errorf("writing the journal of undos: %w", err)
	}
	if j.file != nil {
		_ = j.file.Close() // the new one has all that counts
	}
	j.file, j.size, j.broken = file, int64(len(content)), false
	return nil
}

// close closes the journal. What is owed stays in it. A write that hangs is left behind.
func (j *journal) close() error {
	j.mu.Lock()
	running := j.running
	j.mu.Unlock()
	if running != nil {
		select {
		case <-running:
		case <-after(journalPatience):
			return fmt.Errorf("closing the journal of undos: %w", errDiskHangs)
		}
	}
	var errs []error
	for _, file := range []*os.File{j.file, j.lock} {
		if file != nil {
			errs = append(errs, file.Close())
		}
	}
	return errors.Join(append(errs, j.root.Close())...)
}

// replaceFile replaces a file. After a crash the name has the old file or the new one, complete.
func replaceFile(root *os.Root, name string, write func(io.Writer) error) (*os.File, error) {
	file, err := root.OpenFile(name+newSuffix, os.O_RDWR|os.O_CREATE|os.O_TRUNC|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, err
	}
	if err = write(file); err == nil {
		err = file.Sync()
	}
	if err == nil {
		err = root.Rename(name+newSuffix, name)
	}
	if err == nil {
		err = syncDir(root)
	}
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return file, nil
}

func syncDir(root *os.Root) error {
	dir, err := root.Open(".")
	if err != nil {
		return err
	}
	defer dir.Close()
	return dir.Sync()
}
