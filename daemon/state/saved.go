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
	Name   string // of the one script; empty: all scripts of a directory
	Base   string // relative paths of referenced files begin here; empty: none are allowed
	Files  []File
	Values map[string]string // of sesame.option
	At     time.Time         // wall clock

	// The guard at that time, for a start at which the configuration cannot be read.
	Guards            []packet.Port
	Trusted           []netip.Prefix
	TrustedInterfaces []string
	Mark              uint32
}

// A File is a script, a module or a referenced file, as it was read.
type File struct {
	Path   string // below the directory of the scripts, with slashes; absolute for a referenced file
	Source []byte
}

// savedJSON is the second line of the file; the first is a header.
type savedJSON struct {
	Name   wire.Text     `json:"name,omitempty"`
	Base   wire.Text     `json:"base,omitempty"`
	Files  []wire.File   `json:"files"`
	Values []wire.Option `json:"values,omitempty"`
	Guards []string      `json:"guards,omitempty"`

	Trusted           []netip.Prefix `json:"trusted,omitempty"`
	TrustedInterfaces []string       `json:"trusted_interfaces,omitempty"`
	Mark              uint32         `json:"mark,omitempty"`

	At time.Time `json:"at"`
}

// SaveSet replaces the saved script set. After a crash or an error the file holds the old set or
// the new one, complete.
func (d *Dir) SaveSet(s Saved) error {
	d.saving.Lock()
	defer d.saving.Unlock()
	w := savedJSON{
		Name: wire.Text(s.Name), Base: wire.Text(s.Base), Values: wire.Options(s.Values), At: s.At.Round(0).UTC(),
		Trusted: s.Trusted, TrustedInterfaces: s.TrustedInterfaces, Mark: s.Mark,
	}
	for _, f := range s.Files {
		w.Files = append(w.Files, wire.File{Path: wire.Text(f.Path), Source: wire.Text(f.Source)})
	}
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
// error says that the file exists and cannot be used.
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
	h, w := header{}, savedJSON{}
	if !parseLine(first, &h) || h.What != setWhat {
		return Saved{}, errors.New("it is damaged")
	}
	if h.Version != setVersion {
		return Saved{}, fmt.Errorf("it has version %d, and this sesame reads version %d", h.Version, setVersion)
	}
	if !ended || !parseLine(second, &w) {
		return Saved{}, errors.New("it is damaged")
	}
	s := Saved{Name: string(w.Name), Base: string(w.Base), At: w.At, Trusted: w.Trusted, TrustedInterfaces: w.TrustedInterfaces, Mark: w.Mark}
	for _, f := range w.Files {
		s.Files = append(s.Files, File{string(f.Path), []byte(f.Source)})
	}
	if len(w.Values) > 0 {
		s.Values = wire.OptionValues(w.Values)
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
