package record

import (
	"crypto/pbkdf2"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"sesame/daemon/engine"
	"sesame/daemon/wire"
)

// This file takes the one-time sequences out of a recording, and puts them back. docs/recording.md
// says what is left of them.

// Withhold returns the recording without the content of files of one-time sequences: neither the
// files nor used lines are in what it writes. A replay that has the same files has all: see
// [Revealer].
func (r *Recording) Withhold() *Recording {
	w := &withholder{run: runOf(r.segments[0].snapshot.State), digests: map[string]string{}}
	w.find(r.segments)
	withheld := &Recording{Interfaces: r.Interfaces}
	for _, s := range r.segments {
		s.sets = slices.Clone(s.sets)
		for i := range s.sets {
			s.sets[i].input.Scripts = w.scripts(s.sets[i].input.Scripts)
		}
		state := *s.snapshot.State
		w.state(&state)
		s.snapshot = Snapshot{&state, w.scripts(s.snapshot.Scripts)}
		s.withholder = w
		withheld.segments = append(withheld.segments, s)
	}
	return withheld
}

// A withholder replaces what belongs to files of one-time sequences.
type withholder struct {
	run     uint64
	texts   []wire.File       // the files of one-time sequences, each content once
	digests map[string]string // by path, of files that have one content in the whole recording
}

// find notes the files of one-time sequences.
func (w *withholder) find(segments []segment) {
	contents := map[string]int{}
	add := func(scripts *Scripts) {
		for _, f := range scripts.Files {
			known := func(other wire.File) bool { return other.Path == f.Path && string(other.Source) == string(f.Source) }
			if f.OneTime && !slices.ContainsFunc(w.texts, known) {
				w.texts = append(w.texts, f)
				contents[string(f.Path)]++
			}
		}
	}
	for i := range segments {
		add(&segments[i].snapshot.Scripts)
		for j := range segments[i].sets {
			add(&segments[i].sets[j].input.Scripts)
		}
	}
	for _, f := range w.texts {
		if path := string(f.Path); contents[path] == 1 {
			w.digests[path] = digest(w.run, path, f.Source)
		}
	}
}

// digestRounds makes each guess at a file cost some 20 ms: a file of one line has few contents that
// are likely.
const digestRounds = 1 << 16

// digest returns what tells whether a file is the same, and not what it holds.
func digest(run uint64, path string, text []byte) string {
	salt := fmt.Appendf(nil, "sesame one-time %x %s", run, path)
	key, err := pbkdf2.Key(sha256.New, string(text), salt, digestRounds, sha256.Size)
	if err != nil {
		return "" // only a key length that is not allowed fails
	}
	return hex.EncodeToString(key)
}

// scripts returns scripts without the texts of such files.
func (w *withholder) scripts(s Scripts) Scripts {
	s.Files = slices.Clone(s.Files)
	for i := range s.Files {
		if f := &s.Files[i]; f.OneTime {
			f.Source, f.Withheld, f.Digest = nil, true, w.digests[string(f.Path)]
		}
	}
	return s
}

// state replaces used lines. The caller owns the state, and none of its lists.
func (w *withholder) state(s *engine.State) {
	s.Doors = slices.Clone(s.Doors)
	for i := range s.Doors {
		d := &s.Doors[i]
		d.Used, d.Unrecorded = w.lines(d.Used), w.lines(d.Unrecorded)
	}
	s.Consumed = slices.Clone(s.Consumed)
	for i := range s.Consumed {
		s.Consumed[i].Line = w.line(s.Consumed[i].Line)
	}
	s.Batches = slices.Clone(s.Batches)
	for i := range s.Batches {
		effects := slices.Clone(s.Batches[i].Effects)
		for j := range effects {
			effects[j].Line = w.line(effects[j].Line)
		}
		s.Batches[i].Effects = effects
	}
}

func (w *withholder) lines(all []wire.Text) []wire.Text {
	all = slices.Clone(all)
	for i := range all {
		all[i] = w.line(all[i])
	}
	return all
}

// referenceMark begins what takes the place of a line: "#", the number of the line, a blank and the
// path of its file; or "#" alone, where no file has the line. No unused line begins so.
const referenceMark = "#"

// line returns what takes the place of a used line. A sequence of no file, which begins with a
// newline, is one of the scripts and stays.
func (w *withholder) line(line wire.Text) wire.Text {
	if line == "" || line[0] == '\n' {
		return line
	}
	for _, f := range w.texts {
		if number := numberOf(string(line), string(f.Source)); number > 0 && w.digests[string(f.Path)] != "" {
			return wire.Text(referenceMark + strconv.Itoa(number) + " " + string(f.Path))
		}
	}
	return referenceMark
}

// numberOf returns the number of a line in a text; 0: it has no such line.
func numberOf(line, text string) int {
	number := 0
	for one := range strings.Lines(text) {
		if number++; strings.Trim(one, blanks) == line {
			return number
		}
	}
	return 0
}

// blanks surround a sequence in its line: see package knockd.
const blanks = " \t\n\v\f\r"

// restored replaces used lines in the payload of an InputRestore.
func (w *withholder) restored(payload []byte) ([]byte, error) {
	in := inputJSON{Input: &Input{}}
	if err := json.Unmarshal(payload, &in); err != nil {
		return nil, err
	}
	for i := range in.Records {
		if use := in.Records[i].Consumed; use != nil {
			use.Line = w.line(use.Line)
		}
	}
	return json.Marshal(in)
}
