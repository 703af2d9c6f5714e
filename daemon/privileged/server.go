//go:build linux

package privileged

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"sync/atomic"

	"github.com/hashicorp/go-hclog"
	"golang.org/x/sys/unix"

	"sesame/daemon/effect"
)

// Config is what a server works with.
type Config struct {
	// Settings are read at the beginning of each connection: the daemon reads its configuration
	// when it starts, and is started again when that has changed.
	Settings func() (Settings, error)
	Dir      string   // of the journal, used by nobody else; made when it is not there
	Loader   []string // a program that calls [Load] with its standard input and output
	AtOnce   int      // how many commands run at once; the others wait; 64 by default
	Log      hclog.Logger
}

// Settings are what the configuration says.
type Settings struct {
	Scripts string            // a directory of scripts, or one script
	Values  map[string]string // of options of the scripts, as in [scripting.Options]
	Lists   []string          // the names of those that were written as lists
	// AllowWritable lets a set run that other users can change, see package writable. File is the
	// configuration, which others must not change either; "": there is none.
	AllowWritable bool
	File          string
	// Readable are paths below which the daemon may have scripts read from elsewhere, beside the
	// directory of Scripts.
	Readable []string
	// State is the state directory of the daemon, which belongs to the daemon's user. A file of
	// one-time sequences may belong to that user too, as when the daemon comments out lines itself.
	State string
}

// A Server is the helper. It serves any number of connections, and believes none of them.
type Server struct {
	cfg      Config
	opening  sync.Mutex
	opened   chan struct{} // closed when the journal is open
	journal  *journal      // nil before that
	catalog  catalog
	slots    chan struct{} // capacity: how many commands run at once
	sessions atomic.Uint64
	saving   atomic.Bool // a set is being written

	known atomic.Bool // what follows is not nil, and true: a command need not wait for a read

	reading   chan struct{} // capacity 1: guards the next four, for as long as the disk takes
	main      place         // that of the configuration
	elsewhere place         // that the daemon asked for last
	tried     keptArchive   // of the set on trial, which may be read anew meanwhile
	saved     bool          // what an earlier process saved was looked at
}

// New returns a server, and reads its journal, unless an earlier helper still has that: then the
// first connection waits for it. It starts nothing, and runs no undo.
func New(c Config) (*Server, error) {
	if c.AtOnce <= 0 {
		c.AtOnce = 64
	}
	s := &Server{cfg: c, opened: make(chan struct{}), reading: make(chan struct{}, 1), slots: make(chan struct{}, c.AtOnce)}
	err := s.open()
	if errors.Is(err, errInUse) {
		c.Log.Warn("commands that have an undo wait for the end of an earlier helper", "reason", err)
		err = nil
	}
	if err != nil {
		return nil, err
	}
	return s, nil
}

// Close closes the journal. What is owed runs after the next start. A read that hangs is left
// behind.
func (s *Server) Close() error {
	select {
	case s.reading <- struct{}{}:
		defer func() { <-s.reading }()
	case <-after(journalPatience):
		return fmt.Errorf("reading the scripts: %w", errDiskHangs)
	}
	for _, p := range []*place{&s.main, &s.elsewhere} {
		p.forget()
	}
	s.tried.forget()
	if !s.isOpen() {
		return nil
	}
	return s.journal.close()
}

// applied notes which of the sets that were read the daemon runs. It may refuse one that loads, and
// go on with the set before for as long as it likes.
func (s *Server) applied(sum hash) {
	s.reading <- struct{}{}
	defer func() { <-s.reading }()
	defer s.tried.forget()
	if archive := s.archive(sum); s.catalog.apply(sum, now()) && archive != nil {
		s.save(archive)
	}
}

// save writes the archive of a set that loads into the helper's directory. It waits for the disk,
// but not for long. While one is being written no other is.
func (s *Server) save(archive *os.File) {
	fd, err := unix.FcntlInt(archive.Fd(), unix.F_DUPFD_CLOEXEC, 0) // the archive of the next set takes its place
	if err == nil && !s.saving.CompareAndSwap(false, true) {
		err = errors.Join(errDiskHangs, unix.Close(fd))
	}
	if err == nil {
		saved := make(chan error, 1)
		go func() {
			saved <- s.saveFile(os.NewFile(uintptr(fd), setName))
			s.saving.Store(false)
		}()
		select {
		case err = <-saved:
		case <-after(journalPatience):
			err = errDiskHangs
		}
	}
	if err != nil {
		s.cfg.Log.Warn("the scripts are not saved for the next start of the helper", "error", err)
	}
}

func (s *Server) saveFile(archive *os.File) error {
	defer archive.Close()
	file, err := replaceFile(s.journal.root, setName, func(w io.Writer) error {
		_, err := io.Copy(w, io.NewSectionReader(archive, 0, maxArchive))
		return err
	})
	if err != nil {
		return err
	}
	return file.Close()
}

// loadSaved lets the commands of the set run that was applied last before this process: the daemon
// runs that set when it refuses the files on the disk, of which sum is the hash.
func (s *Server) loadSaved(settings *Settings, sum hash) {
	file, err := s.journal.root.Open(setName)
	if errors.Is(err, os.ErrNotExist) {
		return
	}
	var m manifest
	var saved hash
	if err == nil {
		defer file.Close() // it is only read
		if saved, err = hashOfFile(file); err == nil && saved == sum && s.catalog.apply(sum, now()) {
			return
		}
		m, err = startLoader(s.cfg.Loader, file)
	}
	if err == nil && m.problem != "" {
		err = errors.New(m.problem)
	}
	if found := settings.vetPrograms(&m); err == nil && found != "" {
		err = errors.New(heldText + found)
	}
	if err != nil {
		s.cfg.Log.Warn("the scripts that loaded last cannot be loaded again: no command may run", "error", err)
		return
	}
	s.catalog.restore(&m, saved)
}

// readFirst reads the set when nothing was read yet: this process was started again while the
// daemon runs, which knows the set from the one before. So it does when the saved set can be read
// only now.
func (s *Server) readFirst(ctx context.Context, settings *Settings) {
	if s.known.Load() {
		return
	}
	select {
	case s.reading <- struct{}{}:
		defer func() { <-s.reading }()
	case <-ctx.Done():
		return
	}
	if s.main.last == nil || !s.saved && s.isOpen() {
		_, _ = s.read(settings, &s.main) // then nothing may run, and the daemon reads soon
	}
}

// run runs a command for a session, with its undo in the journal before.
func (s *Server) run(ctx context.Context, settings *Settings, session uint64, q *message) message {
	s.readFirst(ctx, settings)
	r, err := s.catalog.find(q.hash, q.door, q.values, now())
	if err == nil {
		err = settings.vetRun(r.argv, r.undo)
	}
	if err != nil {
		return refused(err)
	}
	var undo *owed
	if r.undo != nil {
		if err := s.needJournal(ctx); err != nil {
			return refused(err)
		}
		undo = owedOf(r, session, q)
		if err := s.journal.owe(undo); err != nil {
			return refused(err)
		}
		defer close(undo.ended) // after it is known whether the undo is owed
	}
	answer := runProgram(ctx, effect.Command{Argv: r.argv, Door: q.door, Source: q.source, Grant: q.grant, Timeout: r.timeout})
	// A command that failed has done nothing, so the engine asks for no undo. One that was
	// stopped may have.
	if undo != nil && !answer.counts(r.anyStatus) && answer.outcome != outcomeStopped {
		s.note(s.journal.done(undo))
	}
	return answer
}

// undo runs an undo that is owed, of those with this hash the oldest.
func (s *Server) undo(ctx context.Context, settings *Settings, h hash) message {
	for {
		o, over := s.journal.take(h)
		switch {
		case o != nil:
			return s.undoTaken(ctx, settings, o)
		case over != nil:
		case s.journal.ranBefore(h):
			return message{outcome: outcomeDone}
		default:
			return notOwed()
		}
		select {
		case <-over: // it may have failed
		case <-ctx.Done():
			return stopped()
		}
	}
}

// undoTaken runs an undo that was taken from the journal, once its command has ended.
func (s *Server) undoTaken(ctx context.Context, settings *Settings, o *owed) message {
	if o.ended != nil {
		select {
		case <-o.ended:
		case <-ctx.Done():
			s.journal.putBack(o)
			return stopped()
		}
	}
	if !s.journal.owes(o) { // its command failed, so there is nothing to undo
		s.journal.putBack(o)
		return message{outcome: outcomeDone}
	}
	if err := settings.vetRun(o.command().Argv); err != nil {
		s.journal.putBack(o)
		return refused(err)
	}
	answer := runProgram(ctx, o.command())
	if answer.counts(o.AnyStatus) {
		s.note(s.journal.done(o))
	} else {
		s.journal.putBack(o)
	}
	return answer
}

func (s *Server) note(err error) {
	if err != nil {
		s.cfg.Log.Warn("the journal of undos cannot be written: an undo may run twice", "error", err)
	}
}
