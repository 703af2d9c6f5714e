package state

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"net/netip"
	"slices"
	"strings"
	"time"

	"sesame/daemon/wire"
)

// This file is about what a newer version of Sesame wrote, and this one does not know: a machine
// that goes back to an older version must start, with all that this one can read.
//
// A line with the right checksum that this version does not understand is of a newer one. It stays
// in the journal when that is written anew, in an entry of its own, so that the newer version finds
// it. What such a record is about may be known, and then a later line takes its place.
//
// It follows that a newer version may add kinds of records and members, and must not give a known
// one another meaning. A member that makes a grant give less does so: a program that does not know
// it gives all. What gives less needs a kind of its own. A member that is added to a known record
// is lost here when the journal is written anew: a time in it could not be moved into the engine
// time of this run.

// A newerEntry holds an entry of a newer version in a journal that an older one wrote anew.
type newerEntry struct {
	Offset int64           `json:"offset"` // of the times in the entry, see [entry]
	Since  int64           `json:"since"`  // wall clock, Unix nanoseconds, when it was not understood first
	Entry  json.RawMessage `json:"entry"`
}

// A subject is what an entry is about. Of the entries about one only the last counts.
type subject struct {
	grant uint64
	place place
	other int // nothing is known of it: a number of its own
}

// A newerRead are the entries of a newer version in a journal that is read.
type newerRead struct {
	version int // of the file, when it is newer
	entries map[subject]*newerEntry
	count   int
}

// Newer is what of a journal was written by a newer version of Sesame, and is not understood.
type Newer struct {
	Version int        // of the journal, when it is newer than this program; else 0
	Records int        // that wait in the journal for the newer version
	Undos   [][]string // commands among them that undo something, and that nobody runs now
	Dropped int        // records that wait no longer; commands of theirs are among Undos
}

// mayBeNewer reports whether an entry that is not understood may be of a newer version: what
// concerns the whole journal has one form in all versions.
func mayBeNewer(text json.RawMessage) bool {
	all := members(text)
	for _, name := range []string{"header", "offset", "ended", "newer"} {
		if _, has := all[name]; has {
			return false
		}
	}
	return len(all) > 0
}

// keep keeps an entry that is not understood, and returns what it is about.
func (n *newerRead) keep(e *newerEntry) subject {
	about, _ := outline(e.Entry)
	if about == (subject{}) {
		n.count++
		about.other = n.count
	}
	if n.entries == nil {
		n.entries = map[subject]*newerEntry{}
	}
	n.entries[about] = e
	return about
}

// outline returns what is known of an entry that is not understood: what it is about, and a command
// that undoes something.
func outline(text json.RawMessage) (about subject, undo []string) {
	for kind, member := range members(text) {
		inner := members(member)
		switch kind {
		case "grant":
			if json.Unmarshal(inner["id"], &about.grant) != nil || about.grant > math.MaxInt64 {
				about.grant = 0
			}
		case "value":
			about.place = placeIn(inner)
		}
		var words []wire.Text
		if json.Unmarshal(inner["undo"], &words) == nil && len(words) > 0 {
			undo = texts(words)
		}
	}
	return about, undo
}

func placeIn(value map[string]json.RawMessage) (p place) {
	var script, key wire.Text
	var source netip.Addr
	if json.Unmarshal(value["script"], &script) != nil || json.Unmarshal(value["key"], &key) != nil {
		return place{}
	}
	if text, there := value["source"]; there && json.Unmarshal(text, &source) != nil {
		return place{}
	}
	return place{string(script), source, string(key)}
}

// members returns the members of a JSON object; none of anything else.
func members(text json.RawMessage) (all map[string]json.RawMessage) {
	_ = json.Unmarshal(text, &all)
	return all
}

// subjectOf returns what an entry is about that this version understands.
func subjectOf(e *entry) subject {
	switch {
	case e.Ended != 0:
		return subject{grant: e.Ended}
	case e.Grant != nil:
		return subject{grant: e.Grant.ID}
	case e.Value != nil:
		return subject{place: e.Value.place()}
	}
	return subject{}
}

// take returns what is kept of a journal that was read, as lines for the next one. Now and offset
// are the wall clock and the last offset of the journal.
func (n *newerRead) take(now, offset int64) (Newer, map[subject][]byte, error) {
	found := Newer{Version: n.version}
	var lines map[subject][]byte
	for _, about := range slices.SortedFunc(maps.Keys(n.entries), compareSubjects) {
		e := n.entries[about]
		if e.Since == 0 {
			e.Offset = offset
		}
		if _, undo := outline(e.Entry); undo != nil {
			found.Undos = append(found.Undos, undo)
		}
		if e.Since = wire.NewerSince(e.Since, now); now-e.Since > int64(wire.NewerLasts) {
			found.Dropped++
			continue
		}
		line, err := appendLine(nil, entry{Newer: e})
		if err != nil {
			return found, nil, err
		}
		if lines == nil {
			lines = map[subject][]byte{}
		}
		lines[about] = line
		found.Records++
	}
	return found, lines, nil
}

func compareSubjects(a, b subject) int {
	return cmp.Or(cmp.Compare(a.grant, b.grant), cmp.Compare(a.other, b.other), a.place.compare(b.place))
}

// Texts returns what a newer version wrote, in sentences for people. Path is that of the journal.
func (n *Newer) Texts(path string) (all []string) {
	if n.Version > 0 {
		all = append(all, fmt.Sprintf("%s has version %d, and this sesame writes version %d: it was read as far as this one knows it", path, n.Version, JournalVersion))
	}
	if n.Records > 0 {
		all = append(all, fmt.Sprintf("%s has records of a newer version that are not read, %d in all; they stay in it for %d days", path, n.Records, wire.NewerLasts/(24*time.Hour)))
	}
	if n.Dropped > 0 {
		all = append(all, fmt.Sprintf("%s had records of a newer version that were not read for %d days, %d in all: they are left out from now on", path, wire.NewerLasts/(24*time.Hour), n.Dropped))
	}
	for _, undo := range n.Undos {
		all = append(all, "a newer version was to run this command, to undo something, and this one does not: "+strings.Join(undo, " "))
	}
	return all
}
