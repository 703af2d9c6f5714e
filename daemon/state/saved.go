package state

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net/netip"
	"os"
	"slices"
	"strings"
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

	// Form is that of the last program that knew all keys of the configuration, see package config.
	Form int `json:"form,omitempty"`

	From wire.Text `json:"from,omitempty"` // where it was read; empty: at the path of the configuration
	Held *Held     `json:"held,omitempty"` // nil: no files are

	// Newer says what a newer version of Sesame wrote that this one does not read; "": nothing.
	Newer string `json:"-"`
}

// Held says that a start must put no other files in force by itself: some were tried and not
// confirmed, or the set was put in force instead of them. Whoever cannot get in may save them.
type Held struct {
	Why     string    `json:"why"`               // "trial", "return" or "from"
	Running bool      `json:"running,omitempty"` // a trial runs
	At      time.Time `json:"at"`                // wall clock

	From wire.Text `json:"from,omitempty"` // of the scripts on trial, when they were read elsewhere
}

// savedJSON is what the second line of the file is made of; the first is a header.
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
	content, err := appendLine(make([]byte, 0, size), header{What: setWhat, Version: SetVersion})
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
// error means that the file exists and cannot be used. What a newer version of Sesame saved is read
// as far as it is known, and may have no files then: its guards count all the same.
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
	if s.Newer != "" {
		s.Newer = fmt.Sprintf("%s/%s %s", d.path, setName, s.Newer)
	}
	return s, true, nil
}

// SavedForm returns the Form of the set that was saved last in a directory; 0: none is known. It
// makes and changes nothing.
func SavedForm(dir string) int {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return 0
	}
	defer root.Close() // it is only read
	saved, _, err := (&Dir{path: dir, root: root}).LastGood()
	if err != nil {
		return 0
	}
	return saved.Form
}

func parseSaved(content []byte) (Saved, error) {
	first, rest, _ := bytes.Cut(content, []byte("\n"))
	second, _, ended := bytes.Cut(rest, []byte("\n"))
	h := header{}
	text, right := checked(second)
	if !parseLine(first, &h) || h.What != setWhat || h.Version < 1 || !ended || !right {
		return Saved{}, errors.New("it is damaged")
	}
	s := Saved{}
	unread, isObject := s.read(text)
	if !isObject {
		return Saved{}, errors.New("it is damaged")
	}
	s.Newer = newerSet(h.Version, unread)
	return s, nil
}

// read reads the members of a saved set, each for itself, and returns those that it does not
// understand, although a Sesame wrote them.
func (s *Saved) read(text []byte) (unread []string, isObject bool) {
	all := members(text)
	if all == nil {
		return nil, false
	}
	guards := all["guards"]
	delete(all, "guards")
	if json.Unmarshal(text, s) != nil {
		*s = Saved{}
		for _, name := range slices.Sorted(maps.Keys(all)) {
			was := *s
			if json.Unmarshal(fmt.Appendf(nil, "{%q:%s}", name, all[name]), s) != nil { // it may be read in part
				*s = was
				unread = append(unread, s.readOtherwise(name, all[name])...)
			}
		}
	}
	return append(unread, s.readGuards(guards)...), true
}

// readOtherwise reads what it can of a member in a form that is not known, and returns what it
// could not. Files that are held in a way that nobody knows are held all the same: a start must not
// put in force what nobody confirmed.
func (s *Saved) readOtherwise(name string, text []byte) (unread []string) {
	switch name {
	case "held":
		s.Held = &Held{Why: "return"}
	case "trusted":
		var all []json.RawMessage
		if json.Unmarshal(text, &all) != nil {
			break
		}
		for _, network := range all {
			var prefix netip.Prefix
			if json.Unmarshal(network, &prefix) == nil && prefix.IsValid() {
				s.Trusted = append(s.Trusted, prefix)
			} else {
				unread = append(unread, "the trusted network "+string(network))
			}
		}
		return unread
	}
	return []string{name}
}

// readGuards reads the guarded ports, each for itself.
func (s *Saved) readGuards(text []byte) (unread []string) {
	var all []json.RawMessage
	if text != nil && json.Unmarshal(text, &all) != nil {
		return []string{"guards"}
	}
	for _, guard := range all {
		var name string
		_ = json.Unmarshal(guard, &name)
		if port, err := packet.ParsePort(name); err == nil {
			s.Guards = append(s.Guards, port)
		} else {
			unread = append(unread, "the guarded port "+string(guard))
		}
	}
	return unread
}

// newerSet says what a newer version saved; "" when all was read.
func newerSet(version int, unread []string) string {
	switch {
	case len(unread) > 0:
		return "is of a newer version, and this sesame does not read all of it: " + strings.Join(unread, ", ")
	case version > SetVersion:
		return fmt.Sprintf("has version %d, and this sesame writes version %d: it was read as far as this one knows it", version, SetVersion)
	}
	return ""
}
