package source

import (
	"regexp"
	"strings"
)

// A Suppression is a comment "-- sesame:allow ID reason": the finding ID of a
// lint is meant on this line, or, where a comment stands alone, on the first
// line behind it and the comments that follow it.
type Suppression struct {
	Place
	Target     int // the line that it is about
	ID, Reason string
}

var suppression = regexp.MustCompile(`--+\s*sesame:allow\s+(\S+)\s*(.*)`)

// Suppressions returns those of a script or module.
func (s *Script) Suppressions() []Suppression {
	return commentsAllowing(s.Path, s.Lines, suppression, "--")
}

// A comment of a knockd.conf has a line of its own, above the line that it is
// about.
var confSuppression = regexp.MustCompile(`^\s*#+\s*sesame:allow\s+(\S+)\s*(.*)`)

// Suppressions returns those of a referenced file.
func (r *ReferencedFile) Suppressions() []Suppression {
	return commentsAllowing(r.Path, r.split(), confSuppression, "#")
}

func commentsAllowing(path string, lines []string, form *regexp.Regexp, comment string) []Suppression {
	var found []Suppression
	for i, line := range lines {
		if match := form.FindStringSubmatchIndex(line); match != nil {
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

// target returns the number of the line that a comment in line i is about.
func target(lines []string, i int, comment string) int {
	for i < len(lines) && strings.HasPrefix(strings.TrimSpace(lines[i]), comment) {
		i++
	}
	return i + 1
}
