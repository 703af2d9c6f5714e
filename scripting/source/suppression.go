package source

import (
	"bytes"
	"regexp"
	"strings"
	"sync"
)

// A Suppression is a comment "-- sesame:allow ID reason". It allows the finding
// ID of a lint on its line. A comment with a line of its own is about the first
// line below it that is no comment.
type Suppression struct {
	Place
	Target     int // the line that it is about
	ID, Reason string
}

var suppression = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`--+\s*sesame:allow\s+(\S+)\s*(.*)`) })

// Suppressions returns the suppressions of a script or module.
func (s *Script) Suppressions() []Suppression {
	return commentsAllowing(s.Path, s.Lines, suppression, "--")
}

// A knockd.conf has no comments behind directives, so each comment has a line
// of its own.
var confSuppression = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^\s*#+\s*sesame:allow\s+(\S+)\s*(.*)`) })

// Suppressions returns the suppressions of a referenced file.
func (r *ReferencedFile) Suppressions() []Suppression {
	if !bytes.Contains(r.Source, []byte("sesame:allow")) { // a list may have a million lines
		return nil
	}
	return commentsAllowing(r.Path, r.split(), confSuppression, "#")
}

func commentsAllowing(path string, lines []string, form func() *regexp.Regexp, comment string) []Suppression {
	var found []Suppression
	for i, line := range lines {
		if !strings.Contains(line, "sesame:allow") {
			continue // the pattern is compiled only for those who need it
		}
		if match := form().FindStringSubmatchIndex(line); match != nil {
			found = append(found, Suppression{
				Place:  Place{path, i + 1, match[0] + 1},
				Target: target(lines, i, comment),
				ID:     line[match[2]:match[3]],
				Reason: strings.TrimSpace(line[match[4]:match[5]]),
			})
		}
	}
	return found
}

// target returns the number of the line that a comment is about. i is the index
// of the comment's line.
func target(lines []string, i int, comment string) int {
	for i < len(lines) && strings.HasPrefix(strings.TrimSpace(lines[i]), comment) {
		i++
	}
	return i + 1
}
