package state

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"slices"
	"time"

	"sesame/daemon/engine"
	"sesame/daemon/wire"
)

// Recovered is what a journal holds.
type Recovered struct {
	// Records are for [engine.Engine.Restore], in this order:
	//   - an ended grant with the highest id that any grant had, so that no id is used twice;
	//   - the grants that did not end, by id, also those whose time is over: an undo may be
	//     pending for them;
	//   - the values, by script, source and key;
	//   - the one-time sequences that are not commented out yet, by file and line, each as
	//     often as it was used.
	Records []engine.Record
	// Warnings name what was damaged and is lost.
	Warnings []error
	// Newer is what a newer version of Sesame wrote.
	Newer Newer
	// Torn is not nil when the last line is not whole, as after a crash in the middle of a write.
	// Append had not returned then, so nothing that depends on this line was done.
	Torn error
}

// Recover reads the journal and prepares it for Append. It writes nothing: the first Append
// writes the journal anew, also one without records. Recover is called once. Now is the wall
// clock, and the time at which the engine begins.
//
// A grant ends at most its TTL after now, and a value expires at most its TTL after now: a
// machine without a battery for its clock starts in the past, where nothing would end. A clock
// that is ahead ends them early.
//
// A line that a crash cut, or that the disk damaged, is left out, and an error in the result names
// it. What a newer version of Sesame wrote is read as far as it is known. After an error nothing is
// known and the file is unchanged.
func (d *Dir) Recover(now time.Time) (Recovered, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.journal != nil {
		return Recovered{}, errors.New("recovering the journal: it was recovered already")
	}
	read, err := d.read()
	if err != nil {
		return Recovered{}, fmt.Errorf("recovering the journal: %w", err)
	}
	j := newJournal(wire.Nanoseconds(now), stopwatch())
	path := d.path + "/" + journalName
	recovered := Recovered{Warnings: read.warnings(path), Torn: read.tear(path)}
	if recovered.Records, err = j.take(read); err == nil {
		recovered.Newer, j.live.newer, err = read.newer.take(j.start, read.offset)
	}
	if err != nil {
		return Recovered{}, fmt.Errorf("recovering the journal: %w", err)
	}
	// The first Append writes a new file, which has one offset and no damage. It is not done
	// here, since a disk that can be read may hang when it is written.
	j.id, j.failed = read.id, true
	d.journal = j
	return recovered, nil
}

// read is the content of a journal, in the engine time of the program that wrote it.
type read struct {
	number   int // of the line
	version  int // 0: no header so far
	id       string
	offset   int64
	last     uint64 // the highest id of a grant
	grants   map[uint64]*grantEntry
	values   map[place]*valueEntry
	consumed map[wire.Consumed]int
	damaged  int // lines
	first    int // of the damaged lines, its number
	torn     bool
	newer    newerRead
}

func (d *Dir) read() (*read, error) {
	file, err := d.root.Open(journalName)
	if errors.Is(err, fs.ErrNotExist) {
		return &read{}, nil
	}
	if err != nil {
		return nil, err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	return readFrom(file, info.Size())
}

func readFrom(file io.Reader, size int64) (*read, error) {
	r := &read{grants: map[uint64]*grantEntry{}, values: map[place]*valueEntry{}, consumed: map[wire.Consumed]int{}}
	if err := readLines(file, size, r.line); err != nil {
		return nil, err
	}
	if r.version > JournalVersion {
		r.newer.version = r.version
	}
	return r, nil
}

// line reads one line. One with a right checksum that is not understood is of a newer version.
func (r *read) line(line []byte, ended bool) {
	r.number++
	text, right := checked(line)
	switch {
	case right && r.understand(text, nil):
	case right && mayBeNewer(text):
		r.keep(&newerEntry{Entry: bytes.Clone(text)})
	case !ended:
		r.torn = true
	default:
		if r.damaged++; r.damaged == 1 {
			r.first = r.number
		}
	}
}

// understand reads an entry and applies it. Offset is that of its times, nil for that of the
// journal. It returns false for one that this version does not know.
func (r *read) understand(text []byte, offset *int64) bool {
	e := entry{}
	if json.Unmarshal(text, &e) != nil {
		return false
	}
	if offset != nil && e.Grant != nil {
		e.Grant.offset = offset
	}
	if offset != nil && e.Value != nil {
		e.Value.offset = offset
	}
	return r.apply(e)
}

// keep keeps an entry of a newer version. Its grant has a number that no other may have.
func (r *read) keep(e *newerEntry) {
	r.last = max(r.last, r.newer.keep(e).grant)
}

// readKept reads an entry that an older version kept, which did not understand it.
func (r *read) readKept(e *newerEntry) bool {
	if e.Since <= 0 || !mayBeNewer(e.Entry) {
		return false
	}
	if !r.understand(e.Entry, &e.Offset) {
		r.keep(e)
	}
	return true
}

// apply updates r with an entry. It returns false for an entry that this version does not know.
func (r *read) apply(e entry) bool {
	e.upgrade()
	if (e.Grant != nil || e.Ended != 0 || e.Value != nil) && e.wire().Check() != nil {
		return false
	}
	delete(r.newer.entries, subjectOf(&e))
	switch {
	case e.Newer != nil:
		return r.readKept(e.Newer)
	case e.Header != nil:
		if e.Header.What != journalWhat {
			return false
		}
		r.version, r.id = max(r.version, e.Header.Version), e.Header.ID
	case e.Offset != nil:
		r.offset = *e.Offset
	case e.Ended != 0:
		r.last = max(r.last, e.Ended)
		delete(r.grants, e.Ended)
	case e.Grant != nil:
		r.last = max(r.last, e.Grant.ID)
		r.grants[e.Grant.ID] = e.Grant
	case e.Value != nil && e.Value.Value.Value == "":
		delete(r.values, e.Value.place())
	case e.Value != nil:
		r.values[e.Value.place()] = e.Value
	case e.Consumed != nil:
		r.consumed[*e.Consumed]++
	case e.CommentedOut != nil:
		r.consumed[*e.CommentedOut] = max(0, r.consumed[*e.CommentedOut]-1)
	default:
		return false
	}
	return true
}

func (r *read) tear(path string) error {
	if !r.torn {
		return nil
	}
	return fmt.Errorf("%s: its last line is not whole, as after a crash in the middle of a write, and is left out", path)
}

func (r *read) warnings(path string) (all []error) {
	if r.damaged > 0 {
		all = append(all, fmt.Errorf("%s:%d: the line is damaged, %d in all: the records in them are lost, so look at the disk, and at the open grants",
			path, r.first, r.damaged))
	}
	return all
}

// take makes the content of an old journal the live lines of j, in the engine time of j, and
// returns it as records.
func (j *journal) take(r *read) ([]engine.Record, error) {
	b := batch{}
	var records []engine.Record
	if r.last != 0 {
		records = append(records, engine.Record{Grant: &engine.Grant{ID: r.last}, Ended: true})
		j.live.last = r.last
	}
	add := func(e entry) error {
		record, err := engine.RecordFrom(e.wire())
		records = append(records, record)
		return errors.Join(err, b.add(e))
	}
	for _, id := range slices.Sorted(maps.Keys(r.grants)) {
		g := r.grants[id]
		if g.WindowEnd != 0 {
			whole := g.TTL // with the window the grant lasts TTL, and without it longer
			if whole > 0 {
				whole += time.Duration(g.TTLEnd - g.End)
			}
			g.TTLEnd = j.moved(g.TTLEnd, r.offsetOf(g.offset), whole)
		}
		g.End = j.moved(g.End, r.offsetOf(g.offset), g.TTL)
		if err := add(entry{Grant: g}); err != nil {
			return nil, err
		}
	}
	for _, where := range slices.SortedFunc(maps.Keys(r.values), place.compare) {
		v := r.values[where]
		switch until := j.moved(v.Expires(), r.offsetOf(v.offset), v.TTL); {
		case until <= j.start:
			continue
		case until != wire.Forever:
			v.Until = until
		}
		if err := add(entry{Value: v}); err != nil {
			return nil, err
		}
	}
	for _, c := range slices.SortedFunc(maps.Keys(r.consumed), compareConsumed) {
		for range r.consumed[c] {
			if err := add(entry{Consumed: &c}); err != nil {
				return nil, err
			}
		}
	}
	j.apply(b)
	return records, nil
}

// offsetOf returns the offset of the times of an entry.
func (r *read) offsetOf(own *int64) int64 {
	if own != nil {
		return *own
	}
	return r.offset
}

// moved returns a time of the former engine in engine time of this one, which began at the wall
// clock. With a ttl above zero the result is at most ttl after the start.
func (j *journal) moved(ns, offset int64, ttl time.Duration) int64 {
	ns = wire.Add(ns, time.Duration(offset))
	if ttl > 0 {
		ns = min(ns, wire.Add(j.start, ttl))
	}
	return ns
}
