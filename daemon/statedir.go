package daemon

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"sesame/daemon/engine"
	"sesame/daemon/packet"
	"sesame/daemon/record"
	"sesame/daemon/state"
	"sesame/scripting"
)

const (
	// diskPatience is how long the start waits for the state directory. Then the daemon runs
	// without it until it answers: ports open, and what needs the journal is refused.
	diskPatience = 5 * time.Second
	// savePatience is how long anything else waits for the disk that need not know the result.
	savePatience = time.Second
	// openRetry is the time between two tries to open a state directory.
	openRetry = 10 * time.Second
)

var errDiskHangs = errors.New("the disk does not answer")

// A stateDir is the state directory as the daemon uses it: it may be missing, and a call may hang
// in the kernel for hours. None of its methods waits longer than its patience, except append,
// which the journal's goroutine calls. A call that hangs keeps a goroutine, and there is one of
// each kind at most.
type stateDir struct {
	path         string
	synchronised bool // the clock of this machine was synchronised once

	mu     sync.Mutex
	dir    *state.Dir   // nil: it is not open
	why    error        // why not
	saving bool         // a set is being saved
	next   *state.Saved // the set to save then; nil: none

	saved chan error                          // capacity 1: how a save ended that took long
	save  func(*state.Dir, state.Saved) error // replaced in tests

	// renewed is called when the directory was lost and is made anew: a set must be saved in it.
	renewed func(lost error)
}

// A stateFound is what a state directory holds at a start.
type stateFound struct {
	dir          *state.Dir
	saved        state.Saved
	hasSaved     bool
	savedErr     error // the saved set is there, and cannot be used
	synchronised bool
	attempts     engine.Carried // of the last stop; without a State: there are none
	attemptsErr  error          // they are there, and cannot be used
	recovered    state.Recovered
	err          error // nothing is known
}

// newStateDir returns a state directory. Why is why dir is nil.
func newStateDir(path string, dir *state.Dir, why error) *stateDir {
	return &stateDir{path: path, dir: dir, why: why, saved: make(chan error, 1), save: (*state.Dir).SaveSet}
}

// findState opens a state directory and reads all of it. It may hang.
func findState(path string, now time.Time) (f stateFound) {
	if f.dir, f.err = state.Open(path); f.err != nil {
		return f
	}
	f.saved, f.hasSaved, f.savedErr = f.dir.LastGood()
	f.synchronised = f.dir.ClockWasSynchronised()
	if f.recovered, f.err = f.dir.Recover(now); f.err != nil {
		f.err = errors.Join(f.err, f.dir.Close())
		f.dir = nil
		return f
	}
	f.attempts, _, f.attemptsErr = f.dir.Attempts()
	return f
}

// openState opens the state directory for the start. A disk that does not answer, or fails, is no
// error: found has what is known. A directory that must not be used is one.
func (d *daemon) openState() (found stateFound, err error) {
	if found.err = d.probeState(); found.err == nil {
		finding := make(chan stateFound, 1)
		go func() { finding <- findState(d.config.State, d.since) }()
		select {
		case found = <-finding:
		case <-after(diskPatience):
			found.err = errDiskHangs
			d.finding = finding
		}
	}
	if refusal, refused := errors.AsType[*state.Refusal](found.err); refused {
		return found, refusal
	}
	var why error
	if found.err != nil {
		why = d.stateError(found.err)
	}
	d.state = newStateDir(d.config.State, found.dir, why)
	d.noteNewer(d.config.Newer)
	d.state.synchronised, d.state.renewed = found.synchronised, d.noteRenewed
	if why != nil {
		d.config.Log.Error("the state directory cannot be read: earlier grants that are open stay open, and it is read when it answers", "error", why)
	}
	return found, nil
}

// stateError returns why there is no state, for people.
func (d *daemon) stateError(err error) error {
	if errors.Is(err, fs.ErrPermission) && os.Geteuid() != 0 {
		err = fmt.Errorf("%w (the daemon runs as user %s, which must be able to enter the directories above it: name another with --state)", err, userName())
	}
	return fmt.Errorf("state directory %s: %w", d.config.State, err)
}

// noteRenewed reports that the state directory was made anew, and lets the set be saved in it.
func (d *daemon) noteRenewed(lost error) {
	d.config.Log.Warn("the state directory was lost while the daemon ran: it is made anew, with all that counts", "reason", lost)
	select {
	case d.reloader.stateRenewed <- struct{}{}:
	default:
	}
}

// probeState lets a process of its own look whether the disk answers. The threads of this one must
// not hang before privileges are dropped.
func (d *daemon) probeState() error {
	if len(d.config.Probe) == 0 {
		return nil
	}
	argv := append(slices.Clone(d.config.Probe), d.config.State)
	probe, err := os.StartProcess(argv[0], argv, &os.ProcAttr{Files: make([]*os.File, 3)})
	if err != nil {
		return nil // then the start looks for itself
	}
	err = within(diskPatience, func() error {
		_, _ = probe.Wait() // only that it ended counts
		return nil
	})
	if err != nil {
		_ = probe.Kill() // it ends when the disk answers
	}
	return err
}

// open returns the directory, or why there is none.
func (s *stateDir) open() (*state.Dir, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.dir, s.why
}

// append writes records, and makes a directory anew that somebody deleted. It may hang.
func (s *stateDir) append(records []engine.Record, offset time.Duration) error {
	dir, err := s.open()
	if err != nil {
		return err
	}
	if lost := dir.Lost(); lost != nil {
		if dir, err = dir.Renew(); err != nil {
			return fmt.Errorf("%w, and cannot be made anew: %w", lost, err)
		}
		s.mu.Lock()
		s.dir = dir
		s.mu.Unlock()
		s.renewed(lost)
	}
	return dir.Append(records, offset)
}

func (s *stateDir) noteClockSynchronised() error {
	dir, err := s.open()
	if err != nil {
		return err
	}
	return dir.NoteClockSynchronised()
}

// close closes the directory. One that hangs is left to the kernel.
func (s *stateDir) close() error {
	dir, err := s.open()
	if err != nil {
		return nil
	}
	return within(savePatience, dir.Close)
}

// within runs f in a goroutine, and returns its result, or an error when f takes too long.
func within(limit time.Duration, f func() error) error {
	done := make(chan error, 1)
	go func() { done <- f() }()
	select {
	case err := <-done:
		return err
	case <-after(limit):
		return errDiskHangs
	}
}

// awaitState takes the state directory over when it answers. It ends at once when the start has
// read it.
func (d *daemon) awaitState(ctx context.Context) error {
	if dir, _ := d.state.open(); dir != nil {
		return nil
	}
	for {
		if d.finding == nil {
			select {
			case <-after(openRetry):
			case <-ctx.Done():
				return nil
			}
			finding := make(chan stateFound, 1)
			d.finding = finding
			now := d.loop.clock.now()
			go func() { finding <- findState(d.config.State, now) }()
		}
		select {
		case found := <-d.finding:
			if d.finding = nil; found.err == nil {
				d.loop.do(ctx, func() { d.takeOver(found) })
				return d.dropLate(ctx)
			}
			d.state.mu.Lock()
			d.state.why = d.stateError(found.err)
			d.state.mu.Unlock()
		case <-ctx.Done():
			return nil
		}
	}
}

// dropLate drops the privileges that the start kept, once no thread hangs in the kernel.
func (d *daemon) dropLate(ctx context.Context) error {
	if d.troubles.text(privilegesKept) == "" {
		return nil
	}
	for hangingThread() {
		select {
		case <-after(time.Second):
		case <-ctx.Done():
			return nil
		}
	}
	var commands bool
	var set *scripting.Set
	if !d.loop.do(ctx, func() { commands, set = d.commands, d.loop.set }) {
		return nil
	}
	d.startLister(commands)
	privileges, err := d.dropTo(commands)
	if err != nil {
		return err
	}
	if err := d.confine(set, commands); err != nil {
		return err
	}
	d.loop.do(ctx, func() { d.privileges = privileges })
	d.troubles.set(privilegesKept, nil)
	d.config.Log.Info("privileges are dropped", "privileges", privileges)
	return nil
}

// hangingThread reports whether a thread of this process waits for the disk (proc_pid_stat(5)).
// One that hangs never takes part in a change of privileges.
func hangingThread() bool {
	threads, _ := filepath.Glob("/proc/self/task/*/stat")
	return slices.ContainsFunc(threads, func(path string) bool {
		text, _ := os.ReadFile(path) // it may have ended
		_, state, _ := bytes.Cut(text, []byte(") "))
		return bytes.HasPrefix(state, []byte("D"))
	})
}

// takeOver goes on with a state directory that answers late. Only the loop may call it.
//
// Of its records those count that the kernel does not know: pending undos, which are run, stored
// values that no script has changed since, and one-time sequences. Where the kernel had the table
// of an earlier daemon, the grants of ports are over, or were adopted under another id at the
// start, so their records end. Otherwise they are given now. The ids of this run are higher than
// all in the journal: see statelessID.
func (d *daemon) takeOver(found stateFound) {
	e := d.loop.engine
	records, over := lateRecords(found.recovered.Records, e.State(), d.whole)
	d.noteDamage(found.recovered)
	if found.saved.Newer != "" {
		d.noteNewer([]string{found.saved.Newer})
	}
	if found.attempts.State != nil || found.attemptsErr != nil {
		d.config.Log.Info("attempts in progress began anew", "reason", "the state directory answered late")
	}
	d.state.mu.Lock()
	d.state.dir, d.state.why = found.dir, nil
	d.state.mu.Unlock()
	d.loop.runner.Record(over)
	d.loop.input(record.Input{Kind: record.InputRestore, Records: records}, func(now time.Time) []engine.Event {
		events := e.Restore(now, records)
		d.logPendingUndos(events)
		return events
	})
	d.requestReconcile() // which gives the kernel the grants
	d.commands = d.helper == nil && (len(d.loop.set.Commands) > 0 || e.HasPendingUndo())
	d.beginSettling(found)
	d.config.Log.Info("the state directory answers: what was pending in it is done now", "records", len(records))
}

// noteDamage tells what of a journal could not be read. Only the loop may call it.
func (d *daemon) noteDamage(r state.Recovered) {
	for _, warning := range r.Warnings {
		d.config.Log.Warn("the journal was damaged", "error", warning)
		d.damaged = append(d.damaged, warning.Error())
	}
	if r.Torn != nil {
		d.config.Log.Warn("the last line of the journal was not whole", "error", r.Torn)
		d.torn = r.Torn.Error()
	}
	d.noteNewer(r.Newer.Texts(d.config.State + "/journal"))
}

// noteNewer tells what a newer version of Sesame wrote that this one does not read, as after an
// upgrade that was taken back. The start goes on with all that it reads. Only the loop may call it.
func (d *daemon) noteNewer(texts []string) {
	for _, text := range texts {
		if !slices.Contains(d.newer, text) { // a start may read the set twice
			d.newer = append(d.newer, text)
			d.config.Log.Warn("a newer version of Sesame wrote what this one does not read", "state", text)
		}
	}
}

// lateRecords returns which of the records of a journal an engine takes that runs already, and the
// ends of those that are over. Whole means that the kernel had all grants of ports at the start.
func lateRecords(records []engine.Record, running *engine.State, whole bool) (restore, over []engine.Record) {
	type place struct{ script, source, key string }
	stored := map[place]bool{}
	for _, v := range running.Values {
		stored[place{string(v.Script), v.Source.String(), string(v.Key)}] = true
	}
	for _, r := range records {
		switch {
		case whole && r.Grant != nil && !r.Ended && r.Grant.Port != (packet.Port{}):
			over = append(over, engine.Record{Grant: &engine.Grant{ID: r.Grant.ID}, Ended: true})
		case r.Store != nil && stored[place{r.Script, r.Source.String(), r.Store.Key}]:
		default:
			restore = append(restore, r)
		}
	}
	return restore, over
}

// statelessID returns the highest id that a journal may have that cannot be read: ids of grants
// count up from 1, or from the number that this returned at an earlier start. So no id is given
// twice, unless the machine gives 65,536 grants a second.
func statelessID(now time.Time) uint64 { return uint64(max(0, now.Unix())) << 16 }
