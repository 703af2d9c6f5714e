package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"sesame/simulate/suite"
	"sesame/simulate/suite/report"
)

// writeGolden writes the golden transcripts that differ, and notes which it wrote.
func writeGolden(runs []report.Run) error {
	written := map[string][]byte{}
	for i := range runs {
		if runs[i].Report == nil {
			continue
		}
		for _, result := range runs[i].Report.Results {
			for k := range result.Golden {
				golden := &result.Golden[k]
				before, again := written[golden.Path]
				if again && !bytes.Equal(before, golden.Got) {
					return fmt.Errorf("%s: golden %s is also that of another step, which has another transcript: give each a file of its own",
						golden.Place, golden.Path)
				}
				if again {
					continue
				}
				if err := writeTranscript(runs[i].Dir, golden); err != nil {
					return err
				}
				written[golden.Path] = golden.Got
				runs[i].Written = append(runs[i].Written, golden.Path)
			}
		}
	}
	return nil
}

// writeTranscript writes one golden transcript below the directory of the scripts. A test may come
// from somebody else. So a path or a symbolic link that leads out of the directory is an error, and
// a file that is there and is no transcript stays as it is.
func writeTranscript(dir string, golden *suite.GoldenFile) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return fmt.Errorf("%s: writing the golden transcript: %w", golden.Place, err)
	}
	defer root.Close()
	name, err := filepath.Rel(dir, golden.Path)
	if err != nil {
		return fmt.Errorf("%s: writing the golden transcript: %w", golden.Place, err)
	}
	before, err := root.ReadFile(name)
	switch {
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%s: reading the golden transcript: %w", golden.Place, err)
	case err == nil && len(before) > 0 && !suite.IsTranscript(before):
		return fmt.Errorf("%s: golden %s is no transcript, and was not overwritten: name another file, or remove it", golden.Place, golden.Path)
	}
	if err := root.WriteFile(name, golden.Got, 0o644); err != nil {
		return fmt.Errorf("%s: writing the golden transcript: %w", golden.Place, err)
	}
	return nil
}
