// Package tally turns many events into one log line at most every minute. It is for events whose
// pace strangers set, which no log may have one by one.
package tally

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// Interval is the shortest time between two lines of a tally.
const Interval = time.Minute

// A line names at most maxDoors doors, and counts at most maxSources different sources.
const (
	maxDoors   = 5
	maxSources = 1024
)

// A Tally counts events until the next line. The zero value is ready. It is for one goroutine.
type Tally struct {
	count   int
	failed  int
	since   time.Time // of the first that is not in a line yet
	last    netip.Prefix
	doors   map[string]bool
	sources map[netip.Prefix]bool
	more    bool      // there were more sources than are counted
	next    time.Time // no line before this
}

// Add counts an event of a door.
func (t *Tally) Add(now time.Time, door string, source netip.Prefix, failed bool) {
	if t.count == 0 {
		t.since, t.doors, t.sources, t.more = now, map[string]bool{}, map[netip.Prefix]bool{}, false
	}
	t.count++
	if failed {
		t.failed++
	}
	t.last = source
	if door != "" {
		t.doors[door] = true
	}
	switch {
	case !source.IsValid() || t.sources[source]:
	case len(t.sources) == maxSources:
		t.more = true
	default:
		t.sources[source] = true
	}
}

// Due returns when the next line may come, and false when nothing is to be told.
func (t *Tally) Due() (time.Time, bool) { return t.next, t.count > 0 }

// Line returns the pairs of a line about all events since the last one, and begins again. It
// returns nil when there were none, or the last line is less than [Interval] ago. So the first
// event after a quiet minute has its line at once.
func (t *Tally) Line(now time.Time) []any {
	if t.count == 0 || now.Before(t.next) {
		return nil
	}
	pairs := []any{"count", t.count}
	if t.failed > 0 {
		pairs = append(pairs, "failed", t.failed)
	}
	pairs = append(pairs, "doors", Names(t.doors, maxDoors))
	switch {
	case t.more:
		pairs = append(pairs, "sources", fmt.Sprintf("more than %d", maxSources))
	default:
		pairs = append(pairs, "sources", len(t.sources))
	}
	if t.last.IsValid() {
		pairs = append(pairs, "last_source", text(t.last))
	}
	if over := now.Sub(t.since).Round(time.Second); over > 0 {
		pairs = append(pairs, "over", over.String())
	}
	*t = Tally{next: now.Add(Interval)}
	return pairs
}

// Names lists names in order, at most so many, and then how many are left.
func Names(names map[string]bool, most int) string {
	all := make([]string, 0, len(names))
	for name := range names {
		all = append(all, name)
	}
	slices.Sort(all)
	if len(all) > most {
		return fmt.Sprintf("%s and %d more", strings.Join(all[:most], ", "), len(all)-most)
	}
	return strings.Join(all, ", ")
}

func text(source netip.Prefix) string {
	if source.IsSingleIP() {
		return source.Addr().String()
	}
	return source.String()
}
