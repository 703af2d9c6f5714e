// Package spelling turns a name that nobody knows into the known one that was
// meant, for the ends of messages.
package spelling

import (
	"fmt"
	"strings"
)

// few is how many names a message lists.
const few = 32

// Nearest returns the known name that a person most likely meant by name, or ""
// when none is close: more than a third of the longer one would have to change. One
// change is always little, except to a name of one letter, and so is an ending that
// is no longer than the rest.
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

// begins reports whether a name is another with an ending.
func begins(name, long string) bool {
	return len(name) > 2 && len(long) <= 2*len(name) && strings.HasPrefix(long, name)
}

// DidYouMean ends a message about an unknown name: with the nearest known one,
// else with all of them when they are few.
func DidYouMean(name string, known []string) string {
	if near := Nearest(name, known); near != "" {
		return fmt.Sprintf(": did you mean %q?", near)
	}
	if len(known) == 0 || len(known) > few {
		return ""
	}
	return ": expected one of " + strings.Join(known, ", ")
}

// distance counts the insertions, deletions, replacements and swaps of two
// neighbours that turn a into b. Names longer than 64 bytes are far from all.
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
