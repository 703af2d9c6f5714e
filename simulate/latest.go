package simulate

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"time"

	"sesame/daemon/record"
	"sesame/scripting"
	"sesame/scripting/source"
)

// A Latest is what the daemon ran when its recording ended.
type Latest struct {
	Scripts record.Scripts
	Begin   time.Time // engine time at which the recording begins
	// Missing are the files of one-time sequences that the recording leaves out, and that this
	// machine does not have as they were.
	Missing []string

	older, unpriced bool
}

// LatestIn returns what ran when the recording in memory ended. It is nil for a capture that is no
// recording. Name is that of the recording in errors.
func LatestIn(recording []byte, name string) (*Latest, error) {
	reader, err := record.NewReader(bytes.NewReader(recording), int64(len(recording)), name)
	if err != nil {
		return nil, err
	}
	defer reader.Close()
	return latest(reader, name)
}

// LatestOf is [LatestIn] of a file.
func LatestOf(path string) (*Latest, error) {
	reader, err := record.Open(path)
	if err != nil {
		return nil, err
	}
	defer reader.Close()
	return latest(reader, path)
}

func latest(reader *record.Reader, name string) (*Latest, error) {
	if !reader.Recording() {
		return nil, nil
	}
	l, revealer := &Latest{}, NewRevealer()
	for {
		item, err := reader.NextItem()
		switch {
		case err != nil && l.Scripts.Files == nil && !errors.Is(err, io.EOF):
			return nil, err
		case err != nil && l.Scripts.Files == nil:
			return nil, fmt.Errorf("%s: a recording without scripts", name)
		case err != nil: // where it is damaged, the replay says so
			l.Missing = revealer.Missing
			return l, nil
		case item.Frame != nil:
			continue
		}
		revealer.Reveal(item)
		l.take(item)
	}
}

// take takes over scripts from an item.
func (l *Latest) take(item record.Item) {
	switch {
	case item.Snapshot != nil:
		s := item.Snapshot.State
		if l.Begin.IsZero() {
			l.Begin = time.Unix(0, s.Now)
			l.older, l.unpriced = !s.Tripwires, !s.Priced
		}
		l.Scripts = item.Snapshot.Scripts
	case item.Input.Kind == record.InputSet:
		l.Scripts = item.Input.Scripts
	}
}

// Load loads the scripts as if they lay in another directory, base: then what they refer to by
// relative paths has the same names as in a set that lies there. "" leaves them where they were.
// The caller closes the set.
func (l *Latest) Load(base string) (*scripting.Set, error) {
	return loadAt(l.Scripts, base, scripting.Options{SharedListenLimit: l.older, Unpriced: l.unpriced})
}

// ReadReferenced reads a referenced file of another set that is compared with this one: a file of
// one-time sequences is as it was recorded, since a sequence that was used meanwhile is no
// difference between the sets.
func (l *Latest) ReadReferenced(set *scripting.Set) func(path string) ([]byte, error) {
	recorded := map[string][]byte{}
	for _, f := range set.Files {
		if f.OneTime {
			recorded[f.Path] = f.Source
		}
	}
	return func(path string) ([]byte, error) {
		if text, found := recorded[path]; found {
			return text, nil
		}
		return source.ReadReferenced(path)
	}
}
