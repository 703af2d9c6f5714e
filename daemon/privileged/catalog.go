//go:build linux

package privileged

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
)

// handover is how long commands may run that only the set before the newest declares: the daemon
// exchanges its set a moment after the helper read it, and decisions wait in its queue.
const handover = time.Minute

// A catalog holds what may run: what the newest set declares that loads, what the set declares
// that the daemon applied last, what the one on trial declares, and for a while what the one
// declares that it ran before. Its methods may be called from any goroutine.
type catalog struct {
	mu      sync.Mutex
	newest  *index // nil: there is none
	offered *index // that was read elsewhere; nothing of it may run until the daemon runs it
	applied *index
	onTrial *index // the applied set may return
	before  *index
	until   time.Time
}

// An index finds what a manifest declares. Nobody changes it.
type index struct {
	sum      hash                 // of the archive
	commands map[hash][]*declared // they differ in choices and time limits
	doors    map[string]bool
	oneTime  map[string]bool // by path
}

func newIndex(m *manifest, sum hash) *index {
	x := &index{sum: sum, commands: map[hash][]*declared{}, doors: map[string]bool{}, oneTime: map[string]bool{}}
	for i := range m.commands {
		d := &m.commands[i]
		h := commandHash(d.argv, d.undo)
		x.commands[h] = append(x.commands[h], d)
	}
	for _, door := range m.doors {
		x.doors[door] = true
	}
	for _, file := range m.files {
		x.oneTime[file.path] = file.oneTime
	}
	return x
}

// replace makes a set the newest that loads.
func (k *catalog) replace(m *manifest, sum hash) {
	x := newIndex(m, sum)
	k.mu.Lock()
	defer k.mu.Unlock()
	k.newest = x
}

// restore makes a set the one that was applied last, before this process.
func (k *catalog) restore(m *manifest, sum hash) {
	x := newIndex(m, sum)
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.applied == nil {
		k.applied = x
	}
}

// offer makes a set known that was read elsewhere.
func (k *catalog) offer(m *manifest, sum hash) {
	x := newIndex(m, sum)
	k.mu.Lock()
	defer k.mu.Unlock()
	k.offered = x
}

// known returns the set with a hash; nil: there is none. The caller holds the lock.
func (k *catalog) known(sum hash) *index {
	for _, x := range []*index{k.newest, k.offered, k.onTrial, k.applied} {
		if x != nil && x.sum == sum {
			return x
		}
	}
	return nil
}

// apply makes a set the one that was applied last. False: there is none with this hash. A trial is
// over then, whatever set that is.
func (k *catalog) apply(sum hash, now time.Time) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	x := k.known(sum)
	if x == nil {
		return false
	}
	ran := k.applied
	if k.onTrial != nil {
		ran = k.onTrial
	}
	if ran != nil && ran.sum != sum {
		k.before, k.until = ran, now.Add(handover)
	}
	k.applied, k.onTrial = x, nil
	return true
}

// try notes that a set runs, and that the one that was applied last may return.
func (k *catalog) try(sum hash, now time.Time) {
	k.mu.Lock()
	defer k.mu.Unlock()
	x := k.known(sum)
	if x == nil {
		return
	}
	if k.onTrial != nil && k.onTrial.sum != sum {
		k.before, k.until = k.onTrial, now.Add(handover)
	}
	k.onTrial = x
}

// valid returns the sets that count now, the newest first.
func (k *catalog) valid(now time.Time) []*index {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.before != nil && !now.Before(k.until) {
		k.before = nil
	}
	var all []*index
	for _, x := range []*index{k.newest, k.onTrial, k.applied, k.before} {
		if x != nil && !slices.Contains(all, x) {
			all = append(all, x)
		}
	}
	return all
}

var (
	errUndeclared = errors.New("no script declares the command now: it may have been changed or removed")
	errNoFile     = errors.New("no script takes one-time sequences from the file")
)

// A run is what a command runs once its placeholders are filled.
type run struct {
	argv, undo []string // undo nil: there is none
	timeout    time.Duration
	anyStatus  bool
}

// find returns what to run for a command with these values, or why the newest set has nothing.
func (k *catalog) find(command hash, door string, given map[string]string, now time.Time) (run, error) {
	err := errUndeclared
	for i, x := range k.valid(now) {
		r, failed := x.find(command, door, given)
		if failed == nil {
			return r, nil
		}
		if i == 0 {
			err = failed
		}
	}
	return run{}, err
}

func (x *index) find(command hash, door string, given map[string]string) (run, error) {
	isDoor := func(name string) bool { return x.doors[name] }
	if door != "" && !isDoor(door) {
		return run{}, fmt.Errorf("there is no door %q now", door)
	}
	err := errUndeclared
	for _, d := range x.commands[command] {
		r := run{timeout: d.timeout, anyStatus: d.anyStatus}
		if r.argv, r.undo, err = d.fill(given, isDoor); err == nil {
			return r, nil
		}
	}
	return run{}, err
}

// mayComment reports whether lines of a file may be commented out.
func (k *catalog) mayComment(path string, now time.Time) error {
	for _, x := range k.valid(now) {
		if x.oneTime[path] {
			return nil
		}
	}
	return errNoFile
}
