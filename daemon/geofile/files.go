package geofile

import (
	"errors"
	"slices"
	"sync"
	"sync/atomic"

	"sesame/daemon/engine"
	"sesame/daemon/geo"
)

// Files are the databases of a daemon. A file that was read and verified stays in force until one
// that can take its place was read and verified too: a file that is broken, or gone, changes
// nothing but its State. The methods may be called from several goroutines.
type Files struct {
	configured []string // nil: they are looked for
	find       func() []candidates

	current atomic.Pointer[[]State] // at the end of the last Update

	mu     sync.Mutex // held during an Update
	wanted bool
	files  []*file
}

// A file is one path, and what was read from it.
type file struct {
	path     string
	seen     stamp // of the version that was read last, whatever came of it
	tried    bool
	database *geo.Database // in force; nil: none was right yet
	wrong    string        // about the version that was read last
}

// A State is the state of one file.
type State struct {
	Path     string
	Database *geo.Database // in force; nil: none
	Wrong    string        // why the file on the disk is not the one in force; empty: it is
}

// NewFiles returns the databases at these paths. With nil it looks for them in the usual places,
// and only when they are wanted. It reads nothing before Update.
func NewFiles(configured []string) *Files {
	return &Files{configured: configured, find: func() []candidates { return find(places, torPlaces) }}
}

// Want sets whether a script needs a database. Configured ones are read in any case.
func (f *Files) Want(wanted bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.wanted = wanted
}

// Update reads the files that changed since they were read last, one after another. It reports
// whether other databases are in force than before. A large file takes a second.
func (f *Files) Update() (changed bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	before := f.Databases()
	was := f.files
	f.files = nil
	switch {
	case f.configured != nil:
		f.read(f.configured, was)
	case f.wanted:
		f.search(was)
	}
	states := make([]State, len(f.files))
	for i, one := range f.files {
		states[i] = State{one.path, one.database, one.wrong}
	}
	f.current.Store(&states)
	return !slices.Equal(before, f.Databases())
}

// search reads the best candidate of each kind, and the next one while it has nothing of that kind.
// What was in force before stays for addresses of which nothing else that is there knows.
func (f *Files) search(was []*file) {
	for _, c := range f.find() {
		for _, paths := range c.files {
			if f.read(paths, was); slices.ContainsFunc(f.files, func(one *file) bool { return one.database != nil && one.database.Has(c.kind) }) {
				break
			}
		}
	}
	for _, one := range was {
		if one.database != nil && !slices.Contains(f.files, one) && !f.replaces(one.database) {
			one.update(f.room(one, was)) // its State says that it is gone
			f.files = append(f.files, one)
		}
	}
}

// replaces reports whether other databases have each kind of fact, of each family of addresses,
// that one has.
func (f *Files) replaces(old *geo.Database) bool {
	for _, kind := range []engine.FactKind{engine.FactCountry, engine.FactASN} {
		var four, six bool
		for _, one := range f.files {
			if d := one.database; d != nil && d.Has(kind) {
				four, six = four || d.IPv4, six || d.IPv6
			}
		}
		if old.Has(kind) && (old.IPv4 && !four || old.IPv6 && !six) {
			return false
		}
	}
	return true
}

// read appends the files at these paths, each once, and reads those that changed since they were
// read as one of was.
func (f *Files) read(paths []string, was []*file) {
	for _, path := range paths {
		of := func(one *file) bool { return one.path == path }
		if slices.ContainsFunc(f.files, of) {
			continue
		}
		chosen := &file{path: path}
		if i := slices.IndexFunc(was, of); i >= 0 {
			chosen = was[i]
		}
		chosen.update(f.room(chosen, was))
		f.files = append(f.files, chosen)
	}
}

// room returns how many bytes a version of a file may have, beside all other databases that are
// read or were in force.
func (f *Files) room(of *file, was []*file) int64 {
	left := int64(geo.MaxTotal)
	for i, one := range slices.Concat(f.files, was) {
		if one != of && one.database != nil && (i < len(f.files) || !slices.Contains(f.files, one)) {
			left -= int64(one.database.Size)
		}
	}
	return left
}

// update reads the file when it is another version than the one that was read last, if there is
// room for so many bytes.
func (f *file) update(room int64) {
	// An error is that of the reading below.
	if now, _ := stampOf(f.path); f.tried && f.seen.same(now) {
		return
	}
	text, seen, err := readFile(f.path, room)
	// Room comes when another file changes.
	f.seen, f.tried = seen, !errors.Is(err, errNoRoom)
	var next *geo.Database
	if err == nil {
		next, err = geo.Read(f.path, text)
	}
	switch {
	case err != nil:
		f.wrong = err.Error()
		return
	case f.database != nil && next.Hash == f.database.Hash: // it was only touched
	default:
		f.database = next
	}
	f.wrong = ""
}

// Databases returns those in force since the last Update, in their order. Nobody changes the list.
// It never waits.
func (f *Files) Databases() geo.Databases {
	var all geo.Databases
	for _, one := range f.States() {
		if one.Database != nil {
			all = append(all, one.Database)
		}
	}
	return all
}

// States returns the state of each file since the last Update. It never waits.
func (f *Files) States() []State {
	if states := f.current.Load(); states != nil {
		return *states
	}
	return nil
}

// Paths returns the paths of the files, for a watcher.
func (f *Files) Paths() []string {
	var paths []string
	for _, one := range f.States() {
		paths = append(paths, one.Path)
	}
	return paths
}

// Searched reports whether the files are looked for in the usual places.
func (f *Files) Searched() bool { return f.configured == nil }
