package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"sesame/simulate/suite"
	"sesame/simulate/suite/report"
)

// transcriptHead is how each transcript begins.
const transcriptHead = `{"event":"begin"`

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
				if err := writeTranscript(golden); err != nil {
					return err
				}
				written[golden.Path] = golden.Got
				runs[i].Written = append(runs[i].Written, golden.Path)
			}
		}
	}
	return nil
}

// writeTranscript writes one golden transcript. A test names any path, so a file that is there and
// is no transcript stays as it is.
func writeTranscript(golden *suite.GoldenFile) error {
	before, err := os.ReadFile(golden.Path)
	switch {
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%s: reading the golden transcript: %w", golden.Place, err)
	case err == nil && len(before) > 0 && !bytes.HasPrefix(before, []byte(transcriptHead)):
		return fmt.Errorf("%s: golden %s is no transcript, and was not overwritten: name another file, or remove it", golden.Place, golden.Path)
	}
	if err := os.WriteFile(golden.Path, golden.Got, 0o644); err != nil {
		return fmt.Errorf("%s: writing the golden transcript: %w", golden.Place, err)
	}
	return nil
}
