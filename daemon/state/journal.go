package state

import (
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"sesame/daemon/engine"
	"sesame/daemon/wire"
)

// JournalVersion is the version of the journal: that of the grants, values and sequences in it.
const JournalVersion = wire.Version

const (
	journalWhat = "sesame journal"

	// A journal is rewritten when it has grown to growth times the size that it had after
	// the last rewrite, but not below minCompact bytes.
	minCompact = 1 << 20
	growth     = 4
	// roomAhead is how many zero bytes are written after the last line. The next lines
	// overwrite them and do not change the length of the file. That spares the file system
	// a second write for each record, and mostly succeeds on a full disk.
	roomAhead = 64 << 10
	// minOffsetStep is the smallest change of the offset that gets a line.
	minOffsetStep = 10 * time.Millisecond
)

// A journal is the file that records are appended to, and the records in it that still count.
type journal struct {
	file   *os.File
	good   int64 // length of the lines that are known to be on the disk
	size   int64 // length of the file, with the zeros after the lines
	limit  int64 // the file is rewritten when good is above it
	failed bool  // the content of the disk is unknown: the file must be rewritten
	offset time.Duration
	live   live
	id     string // of the file, see [header]; "": an older version wrote it, or there is none
	start  int64  // engine time when it was recovered
	since  func() time.Duration
}

// live holds the lines of a journal that still count. A rewrite copies them.
type live struct {
	last     uint64 // the highest id that any grant had
	grants   map[uint64][]byte
	values   map[place]liveValue
	consumed map[wire.Consumed]liveConsumed
	newer    map[subject][]byte // what only a newer version understands
}

// A liveConsumed is a one-time sequence that was used so many times without being commented out.
type liveConsumed struct {
	line  []byte
	count int
}

type liveValue struct {
	line  []byte
	until int64 // engine time
}

// newJournal returns a journal without a file. Start is the engine time now.
func newJournal(start int64, since func() time.Duration) *journal {
	return &journal{start: start, since: since, live: live{
		grants: map[uint64][]byte{}, values: map[place]liveValue{}, consumed: map[wire.Consumed]liveConsumed{},
	}}
}

// now returns about the engine time. Only the TTL of values depends on it.
func (j *journal) now() int64 { return wire.Add(j.start, j.since()) }

// Append writes records to the journal, in their order, with one write and one flush. When it
// returns nil they are on the disk. Offset is the wall clock minus engine time: it gives the
// times in the journal their meaning after a restart. A call without records writes a changed
// offset, and what an earlier call left to do.
//
// After an error none of the records counts. They may be appended again, any number of times.
// When the journal has grown long, the call also rewrites it without the records that are over,
// which takes about 10 ms for each 10,000 live records.
func (d *Dir) Append(records []engine.Record, offset time.Duration) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	j := d.journal
	if j == nil {
		return errors.New("appending to the journal: it was not recovered, or is closed")
	}
	b, err := j.encode(records, offset)
	if err != nil {
		return fmt.Errorf("appending to the journal: %w", err)
	}
	if len(b.lines) == 0 && !j.failed {
		return nil
	}
	if err := d.rewriteIfNeeded(); err != nil {
		return fmt.Errorf("appending to the journal: %w", err)
	}
	if !d.named {
		d.named = true
		d.writeID()
		d.forgetAttempts()
	}
	if len(b.lines) == 0 {
		return nil
	}
	if err := d.write(b.lines); err != nil {
		return fmt.Errorf("appending to the journal: %w", err)
	}
	j.apply(b)
	return nil
}

// A batch holds the lines of one Append.
type batch struct {
	offset  time.Duration
	lines   []byte
	entries []batchEntry
}

// A batchEntry is an entry of a batch, and where its line ends in the lines of the batch.
type batchEntry struct {
	entry
	end int
}

func (j *journal) encode(records []engine.Record, offset time.Duration) (batch, error) {
	b := batch{offset: j.offset}
	if moved := offset - j.offset; moved >= minOffsetStep || moved <= -minOffsetStep {
		b.offset = offset
		if err := b.add(entry{Offset: new(int64(offset))}); err != nil {
			return batch{}, err
		}
	}
	now := j.now()
	for _, r := range records {
		w, err := encode(r, now)
		if err == nil {
			err = b.add(w)
		}
		if err != nil {
			return batch{}, err
		}
	}
	return b, nil
}

func (b *batch) add(e entry) error {
	start := len(b.lines)
	lines, err := appendLine(b.lines, e)
	if err != nil {
		return err
	}
	if size := len(lines) - start; size > maxLine {
		return fmt.Errorf("a record of %d bytes: at most %d", size, maxLine)
	}
	b.lines = lines
	b.entries = append(b.entries, batchEntry{e, len(lines)})
	return nil
}

// apply updates the live lines with a batch that was written.
func (j *journal) apply(b batch) {
	j.offset = b.offset
	start := 0
	for _, e := range b.entries {
		// A copy, so that one live line does not hold the memory of a whole batch.
		j.live.apply(&e.entry, append([]byte(nil), b.lines[start:e.end]...))
		start = e.end
	}
}

func (l *live) apply(e *entry, line []byte) {
	delete(l.newer, subjectOf(e))
	switch {
	case e.Ended != 0:
		l.last = max(l.last, e.Ended)
		delete(l.grants, e.Ended)
	case e.Grant != nil:
		l.last = max(l.last, e.Grant.ID)
		l.grants[e.Grant.ID] = line
	case e.Value != nil && e.Value.Value.Value == "":
		delete(l.values, e.Value.place())
	case e.Value != nil:
		l.values[e.Value.place()] = liveValue{line, e.Value.Expires()}
	case e.Consumed != nil:
		l.consumed[*e.Consumed] = liveConsumed{line, l.consumed[*e.Consumed].count + 1}
	case e.CommentedOut != nil:
		if c := l.consumed[*e.CommentedOut]; c.count > 1 {
			l.consumed[*e.CommentedOut] = liveConsumed{c.line, c.count - 1}
		} else {
			delete(l.consumed, *e.CommentedOut)
		}
	}
}

// size returns how many bytes the live lines have.
func (l *live) size() (bytes int) {
	for _, line := range l.grants {
		bytes += len(line)
	}
	for _, c := range l.consumed {
		bytes += c.count * len(c.line)
	}
	for _, v := range l.values {
		bytes += len(v.line)
	}
	for _, line := range l.newer {
		bytes += len(line)
	}
	return bytes
}

// write writes lines after the good ones. After a failure it truncates the file, so that no line
// ever follows half a line.
func (d *Dir) write(lines []byte) error {
	j := d.journal
	end, size := j.good+int64(len(lines)), j.size
	var err error
	if end <= size {
		err = d.disk.write(j.file, lines, j.good)
	} else if err = d.disk.write(j.file, append(lines[:len(lines):len(lines)], make([]byte, roomAhead)...), j.good); err == nil {
		size = end + roomAhead
	} else {
		// A disk that is nearly full may have space for the lines without the zeros.
		size, err = end, d.disk.write(j.file, lines, j.good)
	}
	if err != nil {
		return errors.Join(err, d.truncateToGood())
	}
	if err := d.disk.flush(j.file); err != nil {
		// The kernel may have dropped the pages that it could not write. It reports that
		// once, so a second flush would prove nothing.
		j.failed = true
		return errors.Join(err, d.disk.cut(j.file, j.good))
	}
	j.good, j.size = end, size
	return nil
}

// truncateToGood makes the file end after the good lines.
func (d *Dir) truncateToGood() error {
	j := d.journal
	err := d.disk.cut(j.file, j.good)
	if err == nil {
		err = d.disk.flush(j.file)
	}
	j.size, j.failed = j.good, err != nil
	return err
}

// rewriteIfNeeded rewrites the journal after a failure, and when it has grown long. When a long
// journal cannot be rewritten it grows on: a disk without space for two journals still accepts
// records.
func (d *Dir) rewriteIfNeeded() error {
	j := d.journal
	if !j.failed && j.good <= j.limit {
		return nil
	}
	err := d.rewrite()
	if err != nil && !j.failed {
		j.limit = 2 * j.good
		return nil
	}
	return err
}

// rewrite replaces the journal by a new file with the live lines.
func (d *Dir) rewrite() error {
	j := d.journal
	id := rand.Text()
	content, err := j.content(id)
	if err != nil {
		return err
	}
	file, err := d.replace(journalName, content)
	if file == nil {
		return err
	}
	if j.file != nil {
		_ = j.file.Close() // the new file has all that counts
	}
	j.file, j.id, j.failed = file, id, err != nil
	j.good, j.size = int64(len(content)), int64(len(content))
	j.limit = max(minCompact, growth*j.good)
	return err
}

// content returns the header, the offset and the live lines. It drops values that have expired.
func (j *journal) content(id string) ([]byte, error) {
	content, err := appendLine(nil, entry{Header: &header{journalWhat, JournalVersion, id}})
	if err == nil {
		content, err = appendLine(content, entry{Offset: new(int64(j.offset))})
	}
	if err == nil && j.live.last != 0 {
		content, err = appendLine(content, entry{Ended: j.live.last})
	}
	if err != nil {
		return nil, err
	}
	content = slices.Grow(content, j.live.size()) // to grow step by step makes garbage of several times that
	for _, line := range j.live.newer {           // first, since what follows may take its place
		content = append(content, line...)
	}
	for _, line := range j.live.grants {
		content = append(content, line...)
	}
	for _, c := range j.live.consumed {
		for range c.count {
			content = append(content, c.line...)
		}
	}
	now := j.now()
	for at, v := range j.live.values {
		if v.until <= now {
			delete(j.live.values, at)
			continue
		}
		content = append(content, v.line...)
	}
	return content, nil
}
