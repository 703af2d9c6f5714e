package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Each directory of testdata/verdicts has a script, captures of one situation that people meet, and
// verdict.txt: what must be said, and what sesame says, byte for byte. With -update the commands
// are run again. Read the difference before you keep it.
func TestVerdicts(t *testing.T) {
	paths, err := filepath.Glob("testdata/verdicts/*/verdict.txt")
	if err != nil || len(paths) == 0 {
		t.Fatal("no verdicts", err)
	}
	for _, path := range paths {
		path, err := filepath.Abs(path)
		if err != nil {
			t.Fatal(err)
		}
		t.Run(filepath.Base(filepath.Dir(path)), func(t *testing.T) {
			t.Chdir(filepath.Dir(path))
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			got := verdictsOf(string(want))
			if *update {
				if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			} else if diff := cmp.Diff(string(want), got); diff != "" {
				t.Errorf("verdict (-want +got):\n%s", diff)
			}
		})
	}
}

// verdictsOf runs the commands of a text, those behind "$ sesame", and returns the text with what
// they write now.
func verdictsOf(text string) string {
	var out strings.Builder
	for line := range strings.Lines(text) {
		arguments, isCommand := strings.CutPrefix(line, "$ sesame ")
		switch {
		case strings.HasPrefix(line, "#"):
			out.WriteString(line)
		case isCommand:
			var stdout, stderr bytes.Buffer
			status := run(strings.Fields(arguments), strings.NewReader(""), &stdout, &stderr)
			fmt.Fprintf(&out, "\n%s%s%s", line, stdout.String(), stderr.String())
			if status != 0 {
				fmt.Fprintf(&out, "[exit status %d]\n", status)
			}
		}
	}
	return out.String()
}
