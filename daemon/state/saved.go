package state

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"time"

	"sesame/daemon/packet"
	"sesame/daemon/wire"
)

const (
	setWhat    = "sesame script set"
	setVersion = 1
)

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
	content, err := appendLine(nil, header{setWhat, setVersion})
	if err == nil {
		content, err = appendLine(content, w)
	}
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
	if h.Version != setVersion {
		return Saved{}, fmt.Errorf("it has version %d, and this sesame reads version %d", h.Version, setVersion)
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
