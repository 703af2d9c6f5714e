// Package spelling turns what people wrote into texts for messages: an unknown name into the known
// name that was probably meant, a long text into a short one, and a character that a web page or a
// word processor put in the place of a plain one into that one.
package spelling

import (
	"fmt"
	"strings"
)

// few is the largest number of names that a message lists.
const few = 32

// Nearest returns the known name that is closest to name, without regard to case, or "" when none
// is close. A known name is close if at most a third of the longer of the two must change, and at
// least one change is always allowed. It is also close if one of the two begins with the other, and
// is at most twice as long. A name of one letter is close to nothing.
func Nearest(name string, known []string) string {
	best, least := "", len(name)
	name = strings.ToLower(name)
	for _, candidate := range known {
		other := strings.ToLower(candidate)
		d := distance(name, other)
		if d < least && (d <= max(len(name), len(other), 3)/3 || begins(name, other) || begins(other, name)) {
			best, least = candidate, d
		}
	}
	return best
}

// begins reports whether long is name with an ending that is no longer than name.
func begins(name, long string) bool {
	return len(name) > 2 && len(long) <= 2*len(name) && strings.HasPrefix(long, name)
}

// DidYouMean returns the end of a message about an unknown name: the nearest known name, or else
// all known names when there are few. It may be empty.
func DidYouMean(name string, known []string) string {
	if near := Nearest(name, known); near != "" {
		return fmt.Sprintf(": did you mean %q?", near)
	}
	if len(known) == 0 || len(known) > few {
		return ""
	}
	return ": expected one of " + strings.Join(known, ", ")
}

// distance returns the least number of insertions, deletions, replacements and swaps of neighbours
// that turn a into b (optimal string alignment distance). Names of more than 64 bytes are far from
// every other, which bounds the work.
func distance(a, b string) int {
	if max(len(a), len(b)) > 64 {
		return max(len(a), len(b))
	}
	before, row := []int(nil), make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		next := make([]int, len(b)+1)
		next[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			next[j+1] = min(row[j]+cost, row[j+1]+1, next[j]+1)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				next[j+1] = min(next[j+1], before[j-1]+1)
			}
		}
		before, row = row, next
	}
	return row[len(b)]
}
