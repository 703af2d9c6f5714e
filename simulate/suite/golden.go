package suite

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"sesame/daemon/engine"
	"sesame/daemon/openfile"
	"sesame/daemon/transcript"
)

// A golden is a transcript while it is written.
type golden struct {
	text bytes.Buffer
	json *transcript.JSON
}

func newGolden(doors []string) *golden {
	g := &golden{}
	g.json = transcript.NewJSON(&g.text)
	g.json.Begin(doors, nil)
	return g
}

func (g *golden) events(events []engine.Event) {
	if g.text.Len() <= maxGolden {
		g.json.Events(events)
	}
}

// compareGolden compares the transcript of the step with its file.
func (t *running) compareGolden(sum transcript.Summary) error {
	s, g := t.step, t.golden
	t.golden = nil
	if err := g.json.Summary(sum); err != nil {
		return err
	}
	if g.text.Len() > maxGolden {
		return fmt.Errorf("golden: the transcript has more than %d MiB: replay less", maxGolden>>20)
	}
	want, err := t.config.readGolden(s.Golden)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("golden: %w", err)
	}
	if err == nil && string(want) == g.text.String() {
		return nil
	}
	t.result.Golden = append(t.result.Golden, GoldenFile{Place: s.Place, Name: s.Golden, Path: t.path(s.Golden), Want: want, Got: g.text.Bytes()})
	if t.config.Update {
		return nil
	}
	f := Failure{Place: s.Place, Message: s.Golden + " is missing: sesame test --update writes it"}
	switch {
	case err == nil && !IsTranscript(want):
		f.Message = s.Golden + " is no transcript: name another file, or remove it" // its text is nobody's business
	case err == nil:
		f.Message = s.Golden + " is not the transcript of the step: sesame test --update writes it anew"
		f.Expected, f.Came = firstDifference(want, g.text.Bytes())
	}
	t.fail(f)
	return nil
}

// transcriptHead is how each transcript begins.
const transcriptHead = `{"event":"begin"`

// IsTranscript reports whether a text begins as a transcript does.
func IsTranscript(text []byte) bool { return bytes.HasPrefix(text, []byte(transcriptHead)) }

// OpenGolden opens the directory of a golden transcript, and returns the path of the file below it.
// A test may come from somebody else, so a path that leads out of the directory is an error. A
// symbolic link that does so is one when the file is used: see [GoldenError]. The caller closes the
// root.
func OpenGolden(dir, name string) (root *os.Root, path string, err error) {
	path = name
	if filepath.IsAbs(name) {
		absolute, err := filepath.Abs(dir)
		if err != nil {
			return nil, "", err
		}
		if path, err = filepath.Rel(absolute, name); err != nil {
			return nil, "", err
		}
	}
	if !filepath.IsLocal(path) {
		return nil, "", outside(name)
	}
	root, err = os.OpenRoot(dir)
	return root, path, err
}

func outside(name string) error {
	return fmt.Errorf("%s is not below the directory of the scripts: name a file there", name)
}

// GoldenError returns the error of a use of a golden transcript as people read it. A root has an
// error of its own for what leads out of it; all others are of the system.
func GoldenError(name string, err error) error {
	if _, system := errors.AsType[syscall.Errno](err); err == nil || system {
		return err
	}
	return outside(name)
}

// readGolden reads a golden transcript. A file that is too large is read up to a byte behind the
// bound, and so differs from every transcript.
func (c *Config) readGolden(name string) ([]byte, error) {
	f, err := c.openGolden(name)
	closed, isClosed := errors.AsType[*closedError](err)
	switch {
	case isClosed:
		return nil, closed
	case errors.Is(err, openfile.ErrNotRegular), errors.Is(err, openfile.ErrDirectory):
		return nil, fmt.Errorf("%s is no regular file", name)
	case err != nil:
		return nil, GoldenError(name, err)
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, maxGolden+1))
}

// firstDifference returns the first line in which two transcripts differ, of both.
func firstDifference(want, got []byte) (expected, came string) {
	wants, gots := bytes.Split(want, []byte("\n")), bytes.Split(got, []byte("\n"))
	line := func(all [][]byte, i int) string {
		if i < len(all) && len(all[i]) > 0 {
			return string(all[i])
		}
		return "the end"
	}
	for i := range max(len(wants), len(gots)) {
		if expected, came = line(wants, i), line(gots, i); expected != came {
			return expected, came
		}
	}
	return expected, came
}
