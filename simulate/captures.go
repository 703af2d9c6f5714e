package simulate

import (
	"errors"
	"slices"
	"time"

	"sesame/daemon/record"
)

// A capture is one capture file that is replayed.
type capture struct {
	name   string
	number int // 1-based, 0 when it is the only one
	reader *record.Reader
	frame  *record.Frame // the next one, nil after the last; set only among several captures
	at     time.Time     // of frame
}

type captures []*capture

// open opens the recording or the captures of c.
func (c Config) open() (captures, error) {
	if c.Recording == nil {
		return open(c.Captures)
	}
	const name = "the recording"
	reader, err := record.NewReader(c.Recording, -1, name)
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
	for i, path := range paths {
		reader, err := record.Open(path)
		if err != nil {
			wrong = append(wrong, err)
			continue
		}
		c := &capture{name: path, reader: reader}
		if len(paths) > 1 {
			c.number = i + 1
		}
		opened = append(opened, c)
	}
	if err := errors.Join(wrong...); err != nil {
		opened.close()
		return nil, err
	}
	return opened, nil
}

// close closes the files. They were only read, so an error would change nothing.
func (c captures) close() {
	for _, capture := range c {
		_ = capture.reader.Close()
	}
}

// earliest returns the capture with the earliest next frame, nil when all have ended.
func (c captures) earliest() *capture {
	var first *capture
	for _, capture := range c {
		if capture.frame != nil && (first == nil || capture.at.Before(first.at)) {
			first = capture
		}
	}
	return first
}

// streamed reports whether a capture cannot be read a second time, such as one from a pipe.
func (c captures) streamed() bool {
	return slices.ContainsFunc(c, func(one *capture) bool {
		_, size := one.reader.Progress()
		return size < 0
	})
}
