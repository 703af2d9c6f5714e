package state

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"time"

	"sesame/daemon/packet"
	"sesame/daemon/wire"
)

const setWhat = "sesame script set"

// SetVersion is the version of the saved script set.
const SetVersion = 1

// Saved is a script set that was applied. It is complete: the daemon can run it when the files
// that it was read from are broken or gone.
type Saved struct {
	Name   wire.Text    `json:"name,omitempty"` // of the one script; empty: all scripts of a directory
	Base   wire.Text    `json:"base,omitempty"` // relative paths of referenced files begin here; empty: none are allowed
	Files  []wire.File  `json:"files"`
	Values wire.Options `json:"values,omitempty"` // of sesame.option
	At     time.Time    `json:"at"`               // wall clock

	// The guard at that time, for a start at which the configuration cannot be read.
	Guards            []packet.Port  `json:"-"` // see savedJSON
	Trusted           []netip.Prefix `json:"trusted,omitempty"`
	TrustedInterfaces []string       `json:"trusted_interfaces,omitempty"`
	Mark              uint32         `json:"mark,omitempty"`
	Answer            string         `json:"answer,omitempty"` // of guarded ports; empty: the default

	From wire.Text `json:"from,omitempty"` // where it was read; empty: at the path of the configuration
	Held *Held     `json:"held,omitempty"` // nil: no files are
}

// Held says that a start must put no other files in force by itself: some were tried and not
// confirmed, or the set was put in force instead of them. Whoever cannot get in may save them.
type Held struct {
	Why     string    `json:"why"`               // "trial", "return" or "from"
	Running bool      `json:"running,omitempty"` // a trial runs
	At      time.Time `json:"at"`                // wall clock

	From wire.Text `json:"from,omitempty"` // of the scripts on trial, when they were read elsewhere
}

// savedJSON is the second line of the file; the first is a header.
type savedJSON struct {
	*Saved
	Guards []string `json:"guards,omitempty"`
}

// SaveSet replaces the saved script set. After a crash or an error the file holds the old set or
// the new one, complete.
func (d *Dir) SaveSet(s Saved) error {
	d.saving.Lock()
	defer d.saving.Unlock()
	s.At = s.At.Round(0).UTC()
	w := savedJSON{Saved: &s}
	for _, port := range s.Guards {
		w.Guards = append(w.Guards, port.String())
	}
	content, err := w.content()
	if err != nil {
		return fmt.Errorf("saving the script set: %w", err)
	}
	file, err := d.replace(setName, content)
	if file != nil {
		err = errors.Join(err, file.Close())
	}
	if err != nil {
		return fmt.Errorf("saving the script set: %w", err)
	}
	return nil
}

// content returns the lines of the file. Texts may have 128 MiB, and json.Marshal would have
// several copies of them in memory: there is one.
func (w savedJSON) content() ([]byte, error) {
	files := w.Files
	w.Saved = new(*w.Saved)
	w.Files = nil
	outer, err := json.Marshal(w)
	if err != nil {
		return nil, err
	}
	// The quotes in a string are escaped, so this is the member.
	before, after, _ := bytes.Cut(outer, []byte(`"files":null`))
	size := len(outer) + 1024
	for _, f := range files {
		size += len(f.Path) + len(f.Source) + len(f.Source)/16 + 64 // room for each end of a line
	}
	content, err := appendLine(make([]byte, 0, size), header{setWhat, SetVersion})
	if err != nil {
		return nil, err
	}
	sum := len(content)
	content = append(content, "00000000 "...)
	text := len(content)
	content = append(append(content, before...), `"files":[`...)
	for i, f := range files {
		if i > 0 {
			content = append(content, ',')
		}
		path, err := f.Path.MarshalJSON()
		if err != nil {
			return nil, err
		}
		content = append(append(append(content, `{"path":`...), path...), `,"source":`...)
		content = append(f.Source.AppendJSON(content), '}')
	}
	content = append(append(content, ']'), after...)
	copy(content[sum:], fmt.Sprintf("%0*x", sumDigits, checksum(content[text:])))
	return append(content, '\n'), nil
}

// LastGood returns the script set that was saved last. It returns false when there is none. An
// error means that the file exists and cannot be used.
func (d *Dir) LastGood() (Saved, bool, error) {
	d.saving.Lock()
	defer d.saving.Unlock()
	content, err := d.root.ReadFile(setName)
	if errors.Is(err, fs.ErrNotExist) {
		return Saved{}, false, nil
	}
	if err != nil {
		return Saved{}, false, fmt.Errorf("reading the last good script set: %w", err)
	}
	s, err := parseSaved(content)
	if err != nil {
		return Saved{}, false, fmt.Errorf("reading the last good script set: %s/%s: %w", d.path, setName, err)
	}
	return s, true, nil
}

func parseSaved(content []byte) (Saved, error) {
	first, rest, _ := bytes.Cut(content, []byte("\n"))
	second, _, ended := bytes.Cut(rest, []byte("\n"))
	s := Saved{}
	h, w := header{}, savedJSON{Saved: &s}
	if !parseLine(first, &h) || h.What != setWhat {
		return Saved{}, errors.New("it is damaged")
	}
	if h.Version != SetVersion {
		return Saved{}, fmt.Errorf("it has version %d, and this sesame reads version %d", h.Version, SetVersion)
	}
	if !ended || !parseLine(second, &w) {
		return Saved{}, errors.New("it is damaged")
	}
	for _, guard := range w.Guards {
		port, err := packet.ParsePort(guard)
		if err != nil {
			return Saved{}, err
		}
		s.Guards = append(s.Guards, port)
	}
	return s, nil
}
