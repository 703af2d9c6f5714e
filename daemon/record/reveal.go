package record

import (
	"slices"
	"strconv"
	"strings"

	"sesame/daemon/engine"
	"sesame/daemon/wire"
)

// A Revealer puts files of one-time sequences back into a recording that was written without them:
// see [Recording.Withhold]. The items must come in their order.
type Revealer struct {
	// Find returns the text of a file of this machine. What is another file than the daemon had is
	// not used.
	Find func(path string) ([]byte, error)
	// Missing are the paths of the files that are missing. Their texts are empty, and uses of their
	// lines are left out.
	Missing []string

	began bool
	run   uint64
	texts map[string][]byte // by path; nil: it is missing
}

// maxWithheld bounds the files that are looked for in one recording. A set has fewer, and a look at
// one costs a digest.
const maxWithheld = 128

// Reveal completes an item of a recording.
func (v *Revealer) Reveal(item Item) {
	switch {
	case item.Snapshot != nil:
		if !v.began {
			v.began, v.run = true, runOf(item.Snapshot.State)
		}
		v.scripts(&item.Snapshot.Scripts)
		v.state(item.Snapshot.State)
	case item.Input != nil && item.Input.Kind == InputSet:
		v.scripts(&item.Input.Scripts)
	case item.Input != nil && item.Input.Kind == InputRestore:
		item.Input.Records = slices.DeleteFunc(item.Input.Records, func(r engine.Record) bool {
			if r.Consumed == nil {
				return false
			}
			line, known := v.line(wire.Text(r.Consumed.Line))
			r.Consumed.Line = string(line)
			return !known
		})
	}
}

func (v *Revealer) scripts(s *Scripts) {
	for i := range s.Files {
		f := &s.Files[i]
		if !f.Withheld {
			continue
		}
		if f.Source = v.text(string(f.Path), f.Digest); f.Source != nil {
			f.Withheld, f.Digest = false, ""
		}
	}
}

// text returns the text of a withheld file, nil when it is missing. A file has one digest in the
// whole recording, or none.
func (v *Revealer) text(path, want string) []byte {
	text, known := v.texts[path]
	if known {
		return text
	}
	if want != "" && v.Find != nil && len(v.texts) < maxWithheld {
		if found, err := v.Find(path); err == nil && digest(v.run, path, found) == want {
			text = append([]byte{}, found...) // not nil
		}
	}
	if v.texts == nil {
		v.texts = map[string][]byte{}
	}
	if v.texts[path] = text; text == nil {
		v.Missing = append(v.Missing, path)
	}
	return text
}

func (v *Revealer) state(s *engine.State) {
	for i := range s.Doors {
		d := &s.Doors[i]
		d.Used, d.Unrecorded = v.lines(d.Used), v.lines(d.Unrecorded)
	}
	s.Consumed = slices.DeleteFunc(s.Consumed, func(c engine.ConsumedState) bool {
		_, known := v.line(c.Line)
		return !known
	})
	for i := range s.Consumed {
		s.Consumed[i].Line, _ = v.line(s.Consumed[i].Line)
	}
	for i := range s.Batches {
		for j := range s.Batches[i].Effects {
			e := &s.Batches[i].Effects[j]
			e.Line, _ = v.line(e.Line)
		}
	}
}

func (v *Revealer) lines(all []wire.Text) []wire.Text {
	kept := all[:0]
	for _, line := range all {
		if line, known := v.line(line); known {
			kept = append(kept, line)
		}
	}
	return kept
}

// line returns the line that a reference stands for, and whether it is known. What is no reference
// stays.
func (v *Revealer) line(text wire.Text) (wire.Text, bool) {
	reference, is := strings.CutPrefix(string(text), referenceMark)
	if !is {
		return text, true
	}
	number, path, _ := strings.Cut(reference, " ")
	n, err := strconv.Atoi(number)
	if err != nil {
		return text, false
	}
	for line := range strings.Lines(string(v.texts[path])) {
		if n--; n == 0 {
			return wire.Text(strings.Trim(line, blanks)), true
		}
	}
	return text, false
}
