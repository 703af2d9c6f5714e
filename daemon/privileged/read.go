//go:build linux

package privileged

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"sesame/scripting/source"
)

// A snapshot is a set as it was read.
type snapshot struct {
	archive  *os.File // sealed
	sum      hash
	manifest manifest
	trouble  string // why its commands cannot run; "": they can
}

// A place is where sets are read.
type place struct {
	path       string    // "": that of the configuration
	referenced []string  // that the set named which was read last
	last       *snapshot // nil: nothing was read
}

// forget closes what was read.
func (p *place) forget() {
	if p.last != nil {
		_ = p.last.archive.Close() // it is only memory
	}
	p.last = nil
}

// A keptArchive is the archive of a set that must not be lost when another is read.
type keptArchive struct {
	file *os.File // nil: there is none
	sum  hash
}

// keep takes a descriptor of its own of an archive.
func (k *keptArchive) keep(archive *os.File, sum hash) error {
	fd, err := unix.FcntlInt(archive.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("keeping the scripts on trial: %w", err)
	}
	k.forget()
	k.file, k.sum = os.NewFile(uintptr(fd), setName), sum
	return nil
}

func (k *keptArchive) forget() {
	if k.file != nil {
		_ = k.file.Close() // it is only memory
	}
	k.file = nil
}

// archive returns the archive of a set that was read, and that is known still; nil: it is not.
func (s *Server) archive(sum hash) *os.File {
	for _, p := range []*place{&s.main, &s.elsewhere} {
		if p.last != nil && p.last.sum == sum {
			return p.last.archive
		}
	}
	if s.tried.sum == sum {
		return s.tried.file
	}
	return nil
}

// try notes which set the daemon runs that may go again.
func (s *Server) try(sum hash) {
	s.reading <- struct{}{}
	defer func() { <-s.reading }()
	s.catalog.try(sum, now())
	if archive := s.archive(sum); archive != nil && archive != s.tried.file {
		if err := s.tried.keep(archive, sum); err != nil {
			s.cfg.Log.Warn("a set on trial is not saved when it stays", "error", err)
		}
	}
}

// readAt is read for a path that the daemon names. The daemon is not believed, so it is a path that
// root chose: beside the scripts, or below a path of the key readable. What others than root can
// change there is not loaded, as in all sets.
func (s *Server) readAt(settings *Settings, path string) (*snapshot, error) {
	real, err := filepath.EvalSymlinks(path)
	if err != nil {
		return nil, fmt.Errorf("reading the scripts: %w", err)
	}
	if !settings.mayRead(real) {
		return nil, fmt.Errorf("reading the scripts: %s is neither beside the scripts of the configuration, in %s, nor below a path of readable in the configuration: copy it there, or add it to readable and start Sesame again",
			real, filepath.Dir(settings.Scripts))
	}
	if s.elsewhere.path != path {
		s.elsewhere.forget()
		s.elsewhere = place{path: path}
	}
	return s.read(settings, &s.elsewhere)
}

// mayRead reports whether root chose a path for scripts.
func (s *Settings) mayRead(path string) bool {
	var dirs []string
	if scripts, err := filepath.EvalSymlinks(s.Scripts); err == nil {
		dirs = append(dirs, filepath.Dir(scripts))
	}
	for _, readable := range s.Readable {
		if real, err := filepath.EvalSymlinks(readable); err == nil {
			dirs = append(dirs, real)
		}
	}
	return slices.ContainsFunc(dirs, func(dir string) bool {
		return path == dir || strings.HasPrefix(path, strings.TrimSuffix(dir, "/")+"/")
	})
}

// maxRounds is how often a set is read for the files that it names: a script names a knockd.conf,
// and that a file of one-time sequences.
const maxRounds = 5

// read reads the set, and lets a loader tell what it declares. It makes that what may run, when the
// set loads. The caller holds the lock, and may use the snapshot until it gives the lock back.
func (s *Server) read(settings *Settings, p *place) (*snapshot, error) {
	for range maxRounds {
		files, err := source.Read(cmp.Or(p.path, settings.Scripts), p.referenced...)
		if err != nil {
			return nil, err
		}
		a := archiveOf(files, settings.Values, settings.Lists)
		if err := settings.readAsUser(&a); err != nil {
			return nil, err
		}
		file, sum, err := a.sealed()
		if err != nil {
			return nil, err
		}
		next := &snapshot{archive: file, sum: sum}
		found := settings.vetFiles(files) // before a loader runs what others have written
		switch {
		case p.last != nil && p.last.sum == sum:
			next.manifest = p.last.manifest
		case found != "":
		default:
			next.manifest, err = startLoader(s.cfg.Loader, file)
		}
		if err == nil && len(next.manifest.missing) > 0 {
			_ = file.Close() // it is only memory
			p.name(&next.manifest)
			continue
		}
		s.keep(settings, p, next, found, err)
		return p.last, nil
	}
	return nil, fmt.Errorf("reading the scripts: files name files that name files, more than %d deep", maxRounds-1)
}

// name notes which files the next round reads.
func (p *place) name(m *manifest) {
	p.referenced = slices.Clone(m.missing)
	for _, f := range m.files {
		p.referenced = append(p.referenced, f.path)
	}
	slices.Sort(p.referenced)
	p.referenced = slices.Compact(p.referenced)
}

// keep notes what was read last, and what it declares. found is what others can change of its
// files, and err why the loader failed.
func (s *Server) keep(settings *Settings, p *place, next *snapshot, found string, err error) {
	m := &next.manifest
	if found == "" && err == nil && m.problem == "" {
		found = settings.vet(append(settings.referencedTargets(m), programTargets(m)...))
	}
	switch {
	case err != nil:
		next.trouble, next.sum = cut(err.Error(), maxText), hash{} // it is tried again
	case found != "":
		next.trouble = cut(heldText+found, maxText)
	case m.problem != "":
		next.trouble = "the scripts do not load"
	}
	before := p.last
	if before != nil {
		_ = before.archive.Close() // it is only memory
	}
	p.last = next
	if next.trouble != "" && found != "" && m.doors == nil {
		next.sum = hash{} // no loader ran for it
	} else if err == nil {
		p.name(m)
	}
	same := before != nil && before.sum == next.sum && before.trouble == next.trouble
	switch {
	case next.trouble == "" && p != &s.main:
		s.catalog.offer(m, next.sum)
	case next.trouble == "" && !same:
		s.catalog.replace(m, next.sum)
	case next.trouble != "" && !same:
		s.cfg.Log.Warn("commands of the scripts on the disk may not run, those of the set before may", "reason", next.trouble)
	}
	if p == &s.main && !s.saved && s.isOpen() {
		s.saved = true
		s.loadSaved(settings, next.sum)
		s.known.Store(true)
	}
}
