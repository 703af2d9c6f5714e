package state

import (
	"errors"
	"fmt"
	"os"
	"time"

	"sesame/daemon/engine"
	"sesame/daemon/wire"
)

const (
	journalWhat = "sesame journal"

	// minCompact is the size in bytes below which a journal is never written
	// anew for being long.
	minCompact = 1 << 20
	// growth is how many times what was live a journal may grow before it is
	// written anew.
	growth = 4
	// roomAhead is by how many bytes a journal is made longer at once. To write
	// into zeros that are there already changes no length, which spares a file
	// system a second write for each record, and mostly goes well on a full disk.
	roomAhead = 64 << 10
	// drift is the change of the offset that is worth a line.
	drift = 10 * time.Millisecond
)

// A journal is the file that records are appended to, and what it says.
type journal struct {
	file   *os.File
	good   int64 // how much of it is known to be on the disk
	size   int64 // how long it is, with the zeros behind
	limit  int64 // beyond which it is written anew
	failed bool  // what is on the disk is not known: it must be written anew
	offset time.Duration
	live   live
	start  int64 // engine time when it was recovered
	since  func() time.Duration
}

// live is what a journal says, as the lines that say it.
type live struct {
	last     uint64 // the highest id that any grant had
	grants   map[uint64][]byte
	values   map[place]liveValue
	consumed map[wire.Consumed]liveConsumed
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

// newJournal returns a journal without a file, that begins at an engine time.
func newJournal(start int64, since func() time.Duration) *journal {
	return &journal{start: start, since: since, live: live{
		grants: map[uint64][]byte{}, values: map[place]liveValue{}, consumed: map[wire.Consumed]liveConsumed{},
	}}
}

// now is engine time, as near as it matters here.
func (j *journal) now() int64 { return wire.Add(j.start, j.since()) }

// Append writes records to the journal, in their order, with one write and one
// flush; they are on the disk when it returns nil. Offset is the wall clock less
// engine time: with it, all times in the journal mean the same after a restart.
// No records are well too, and tell a step of the clock.
//
// After an error none of the records counts, and they may be appended again, any
// number of times. Now and then the call takes longer, as the journal is written
// anew without what is over: some 10 ms for each 10,000 live records.
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
	if len(b.lines) == 0 {
		return nil
	}
	if err := d.makeGood(); err != nil {
		return fmt.Errorf("appending to the journal: %w", err)
	}
	if err := d.write(b.lines); err != nil {
		return fmt.Errorf("appending to the journal: %w", err)
	}
	j.apply(b)
	return nil
}

// A batch is records as lines.
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
	if moved := offset - j.offset; moved >= drift || moved <= -drift {
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

// apply takes in what was written.
func (j *journal) apply(b batch) {
	j.offset = b.offset
	start := 0
	for _, e := range b.entries {
		// A copy: one live line must not hold the memory of a whole batch.
		j.live.apply(&e.entry, append([]byte(nil), b.lines[start:e.end]...))
		start = e.end
	}
}

func (l *live) apply(e *entry, line []byte) {
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
	case e.Commented != nil:
		if c := l.consumed[*e.Commented]; c.count > 1 {
			l.consumed[*e.Commented] = liveConsumed{c.line, c.count - 1}
		} else {
			delete(l.consumed, *e.Commented)
		}
	}
}

// write puts lines behind what is good. When that fails the file is cut back, so
// that half a line never stands before others.
func (d *Dir) write(lines []byte) error {
	j := d.journal
	end, size := j.good+int64(len(lines)), j.size
	var err error
	if end <= size {
		err = d.disk.write(j.file, lines, j.good)
	} else if err = d.disk.write(j.file, append(lines[:len(lines):len(lines)], make([]byte, roomAhead)...), j.good); err == nil {
		size = end + roomAhead
	} else {
		// A disk that is nearly full may have room for the lines alone.
		size, err = end, d.disk.write(j.file, lines, j.good)
	}
	if err != nil {
		return errors.Join(err, d.cutBack())
	}
	if err := d.disk.flush(j.file); err != nil {
		// The kernel may have forgotten what it could not write, and will not
		// say so again.
		j.failed = true
		return errors.Join(err, d.disk.cut(j.file, j.good))
	}
	j.good, j.size = end, size
	return nil
}

// cutBack makes the file end where it is good.
func (d *Dir) cutBack() error {
	j := d.journal
	err := d.disk.cut(j.file, j.good)
	if err == nil {
		err = d.disk.flush(j.file)
	}
	j.size, j.failed = j.good, err != nil
	return err
}

// makeGood writes the journal anew when it must be or has grown long. A long one
// that cannot be written anew goes on growing, so that a disk without room for
// both still takes records.
func (d *Dir) makeGood() error {
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

// rewrite writes the journal anew, with what is live alone.
func (d *Dir) rewrite() error {
	j := d.journal
	content, err := j.content()
	if err != nil {
		return err
	}
	file, err := d.replace(journalName, content)
	if file == nil {
		return err
	}
	if j.file != nil {
		_ = j.file.Close() // nothing in it is needed any more
	}
	j.file, j.failed = file, err != nil
	j.good, j.size = int64(len(content)), int64(len(content))
	j.limit = max(minCompact, growth*j.good)
	return err
}

// content returns the lines of a journal of what is live, and forgets the values
// that have expired.
func (j *journal) content() ([]byte, error) {
	content, err := appendLine(nil, entry{Header: &header{journalWhat, wire.Version}})
	if err == nil {
		content, err = appendLine(content, entry{Offset: new(int64(j.offset))})
	}
	if err == nil && j.live.last != 0 {
		content, err = appendLine(content, entry{Ended: j.live.last})
	}
	if err != nil {
		return nil, err
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
