package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"sesame/daemon/openfile"
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

// writeTranscript writes one golden transcript below the directory of the scripts. A file that is
// there and is no transcript stays as it is. A new one is for its owner alone: it says who knocked.
func writeTranscript(dir string, golden *suite.GoldenFile) error {
	failed := func(doing string, err error) error {
		return fmt.Errorf("%s: %s the golden transcript: %w", golden.Place, doing, err)
	}
	root, path, err := suite.OpenGolden(dir, golden.Name)
	if err != nil {
		return failed("writing", err)
	}
	defer root.Close()
	before, err := readBelow(root, path)
	switch {
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return failed("reading", suite.GoldenError(golden.Name, err))
	case err == nil && !suite.IsTranscript(before):
		return fmt.Errorf("%s: golden %s is no transcript, and was not overwritten: name another file, or remove it", golden.Place, golden.Path)
	}
	if err := root.WriteFile(path, golden.Got, 0o600); err != nil {
		return failed("writing", suite.GoldenError(golden.Name, err))
	}
	return nil
}

// readBelow reads a regular file: a pipe could hang.
func readBelow(root *os.Root, path string) ([]byte, error) {
	file, _, err := openfile.RegularBelow(root, path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return io.ReadAll(file)
}
