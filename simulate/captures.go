package simulate

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"sesame/daemon/record"
)

// A capture is one capture file that is replayed.
type capture struct {
	name   string
	number int // 1-based, 0 when it is the only one
	reader *record.Reader
	ended  bool // by its end, by damage or because it was stopped

	// shift is how far engine time is ahead of the stamps, after the steps of the recording clock.
	// offset is how far the wall clock of a recording of the daemon was ahead of its stamps.
	shift, offset time.Duration
	moved         time.Duration // by Config.At, in the wall clock's time too
	unjudged      unjudged

	// Of one among several captures: what was read to find its place, and what was read ahead.
	first  *record.Frame
	failed error // the error in place of a first frame
	began  time.Time
	digest [sha256.Size]byte
	ahead  ahead
}

// engineTime returns the engine time for a stamp of the capture, at most endOfTime.
func (c *capture) engineTime(stamp time.Time) time.Time {
	if at := stamp.Add(c.shift).Add(c.moved); at.Before(endOfTime) {
		return at
	}
	return endOfTime
}

// move shifts captures so that a stamp becomes a time, which is not zero.
func (c captures) move(stamp, to time.Time) {
	for _, one := range c {
		one.moved = to.Sub(stamp)
	}
}

// latest returns the latest engine time of the packets that were read.
func (c *capture) latest() time.Time { return c.engineTime(c.reader.Latest()) }

// captureBits is where the number of a capture begins among those of its interfaces. The kernel of
// a host with many containers counts these to some hundred thousand.
const captureBits = 20

// interfaceNumber returns a number of the interface of a frame, unique over all captures. A single
// capture keeps its numbers.
func (c *capture) interfaceNumber(f *record.Frame) uint32 {
	return f.Interface ^ uint32(max(c.number-1, 0))<<captureBits
}

type captures []*capture

// open opens the recording, the knocks or the captures of c.
func (c Config) open() (captures, error) {
	input, size, name := c.Recording, int64(-1), "the recording"
	switch {
	case c.Knocks != nil:
		input, size, name = bytes.NewReader(c.Knocks), int64(len(c.Knocks)), "the knocks"
	case input == nil:
		return open(c.Captures)
	}
	reader, err := record.NewReader(input, size, name)
	if err != nil {
		return nil, err
	}
	return captures{{name: name, reader: reader}}, nil
}

// recording returns the first of the captures that is a recording of the daemon.
func (c captures) recording() *capture {
	for _, capture := range c {
		if capture.reader.Recording() {
			return capture
		}
	}
	return nil
}

// open opens all captures, or none and returns what is wrong with each.
func open(paths []string) (captures, error) {
	var opened captures
	var wrong []error
	for _, path := range paths {
		reader, err := record.Open(path)
		if err != nil {
			wrong = append(wrong, err)
			continue
		}
		opened = append(opened, &capture{name: path, reader: reader})
	}
	if err := errors.Join(wrong...); err != nil {
		opened.close()
		return nil, err
	}
	if len(opened) > 1 {
		opened.order()
	}
	return opened, nil
}

// openBy opens one capture that a test names. Nobody watches a test who could end a pipe, so
// without a function it is a regular file.
func openBy(open func(path string) (*os.File, error), path string) (captures, error) {
	if open == nil {
		open = record.Regular
	}
	reader, err := record.OpenBy(open, path)
	if err != nil {
		return nil, err
	}
	return captures{{name: path, reader: reader}}, nil
}

// order puts several captures into an order that does not depend on that in which they were named,
// and numbers them: by the time of their first packets, then by what they begin with, then by name.
// A capture without packets is the last. Order reads the first packet of each.
func (c captures) order() {
	for _, one := range c {
		one.digest = one.reader.Digest()
		if one.first, one.failed = one.reader.Next(); one.failed == nil {
			one.began = one.first.Time()
		}
	}
	slices.SortStableFunc(c, func(a, b *capture) int {
		switch {
		case a.failed == nil && b.failed != nil:
			return -1
		case a.failed != nil && b.failed == nil:
			return 1
		}
		return cmp.Or(a.began.Compare(b.began), bytes.Compare(a.digest[:], b.digest[:]), strings.Compare(a.name, b.name))
	})
	for i, one := range c {
		one.number = i + 1
	}
}

// names returns the names of several captures in their order, without the directories when they
// differ all the same; nil for one capture.
func (c captures) names() []string {
	if len(c) < 2 {
		return nil
	}
	short, full, seen := make([]string, len(c)), make([]string, len(c)), map[string]bool{}
	for i, one := range c {
		short[i], full[i] = filepath.Base(one.name), one.name
		seen[short[i]] = true
	}
	if len(seen) < len(c) {
		return full
	}
	return short
}

// close closes the files. They were only read, so an error would change nothing.
func (c captures) close() {
	for _, capture := range c {
		_ = capture.reader.Close()
	}
}

// streamed reports whether a capture cannot be read a second time, such as one from a pipe.
func (c captures) streamed() bool {
	return slices.ContainsFunc(c, func(one *capture) bool {
		_, size := one.reader.Progress()
		return size < 0
	})
}
