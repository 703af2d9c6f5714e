//go:build linux

package privileged

import (
	"errors"
	"fmt"
	"sync"
	"time"
)

// handover is how long commands may run that only the set before the newest declares: the daemon
// exchanges its set a moment after the helper read it, and decisions wait in its queue.
const handover = time.Minute

// A catalog holds what may run: what the newest set declares that loads, and for a while what the
// set before it declares. Its methods may be called from any goroutine.
type catalog struct {
	mu     sync.Mutex
	newest *index
	before *index // nil: there is none any more
	until  time.Time
	held   string // what others can change of the programs of the newest; "": nothing
}

// An index finds what a manifest declares. Nobody changes it.
type index struct {
	manifest *manifest
	commands map[hash][]*declared // they differ in choices and time limits
	doors    map[string]bool
	oneTime  map[string]bool // by path
}

func newIndex(m *manifest) *index {
	x := &index{manifest: m, commands: map[hash][]*declared{}, doors: map[string]bool{}, oneTime: map[string]bool{}}
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

// replace makes a set the newest.
func (k *catalog) replace(m *manifest, now time.Time) {
	x := newIndex(m)
	k.mu.Lock()
	defer k.mu.Unlock()
	k.before, k.newest, k.until = k.newest, x, now.Add(handover)
}

// hold lets no command run while others can change a program of the newest set, which vet tells.
// Programs of a set that runs are read again each time.
func (k *catalog) hold(vet func(*manifest) string) {
	k.mu.Lock()
	newest := k.newest
	k.mu.Unlock()
	held := ""
	if newest != nil {
		held = vet(newest.manifest)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.held = held
}

func (k *catalog) heldBecause() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.held == "" {
		return nil
	}
	return errors.New(heldText + k.held)
}

func (k *catalog) empty() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.newest == nil
}

// valid returns the sets that count now, the newest first.
func (k *catalog) valid(now time.Time) []*index {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.before != nil && !now.Before(k.until) {
		k.before = nil
	}
	switch {
	case k.newest == nil:
		return nil
	case k.before == nil:
		return []*index{k.newest}
	}
	return []*index{k.newest, k.before}
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

// find returns what to run for a command with these values, or why the newest set lets nothing run.
func (k *catalog) find(command hash, door string, given map[string]string, now time.Time) (run, error) {
	if err := k.heldBecause(); err != nil {
		return run{}, err
	}
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
