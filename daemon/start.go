package daemon

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"os"
	"os/signal"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/hashicorp/go-hclog"
	"golang.org/x/net/bpf"

	"sesame/daemon/audit"
	"sesame/daemon/capture"
	"sesame/daemon/config"
	"sesame/daemon/control"
	"sesame/daemon/effect"
	"sesame/daemon/engine"
	"sesame/daemon/filter"
	"sesame/daemon/geofile"
	"sesame/daemon/knockdlog"
	"sesame/daemon/packet"
	"sesame/daemon/record"
	"sesame/daemon/resolve"
	"sesame/daemon/transcript"
)

// A Config is the configuration of a daemon and its outputs.
type Config struct {
	config.Config
	Version string
	Log     hclog.Logger
	People  io.Writer // a terminal; writes must not block; nil: everything goes to the log
	Color   bool      // for People
	Pprof   bool      // serve Go's profiles at the control socket
	Root    string    // why the process is root, as the end of a sentence; "" when it is not
	// Helper is a connection to a helper that was started before, see [privileged.Pair]; nil: there
	// is none. Run takes it over.
	Helper *os.File
	Probe  []string // a command that calls [state.Probe] for the path behind it; empty: none is run
	// Lister is a command that calls [listing.Serve]; empty: a confined daemon knows no rules.
	Lister []string
}

// A daemon is everything that Run puts together. After the start, the loop owns what changes,
// as described at [loop].
type daemon struct {
	config     Config
	clock      clock
	since      time.Time // engine time
	state      *stateDir
	finding    chan stateFound // capacity 1: a disk that did not answer; nil: none is asked
	whole      bool            // the kernel had all grants at the start
	socket     *control.Socket
	scrapes    net.Listener // of metrics; nil: there is none
	firewall   monitoredFirewall
	instance   *instance // nil: not held, as in mode set
	source     *capture.Source
	loop       *loop
	reloader   *reloader
	tail       *control.Tail
	knockd     *knockdlog.Log
	audit      *audit.Log
	denials    denials
	notifier   *notifier
	helper     *helper        // nil: this process does everything itself
	unhelped   string         // why there is none
	unused     sync.WaitGroup // of a helper that is not needed
	commands   bool           // privileges remained after the start, to run commands
	privileges string         // privileges, as text
	unread     []error        // of files of one-time sequences of the last good set, while a start chooses
	user       string         // that this process is, by name

	confinement   atomic.Pointer[confinement] // what the kernel holds the process to; nil: the start is not over
	lister        lister
	links         *capture.Links
	firewallState firewallState
	measurement   measurement
	outdated      outdated
	hangups       chan os.Signal          // capacity 1: each is a reload
	reopens       chan os.Signal          // capacity 1: at each the log files are opened anew
	repairs       chan struct{}           // capacity 1: see requestReconcile
	databases     *geofile.Files          // what tells the country of a source
	databaseHints chan struct{}           // capacity 1: a database may have changed
	databasePaths chan []string           // capacity 1: for the watcher; the latest list replaces an earlier one
	notes         sync.WaitGroup          // what the loop has written to the state without waiting for it
	troubles      troubles                // what goes wrong for a while
	looks         looks                   // at what the status reads outside the daemon
	damaged       []string                // what of the journal could not be read at the start
	torn          string                  // that its last line was not whole then
	unloaded      string                  // why the last good set did not load at the start
	newer         []string                // what of the state a newer version wrote, and was not read
	confined      atomic.Bool             // the running set has commands, without the privileges for them
	waiting       map[uint64]chan<- error // results that a connection waits for, by the ID of the effect
}

// Run guards the machine until ctx ends. After an error, ports that were guarded stay guarded.
func Run(ctx context.Context, c Config) (err error) {
	d := &daemon{
		config: c, notifier: newNotifier(), waiting: map[uint64]chan<- error{}, lister: newLister(),
		hangups: make(chan os.Signal, 1), reopens: make(chan os.Signal, 1), repairs: make(chan struct{}, 1),
		databaseHints: make(chan struct{}, 1), databasePaths: make(chan []string, 1),
	}
	// One of these before this call would end the process.
	signal.Notify(d.hangups, syscall.SIGHUP)
	defer signal.Stop(d.hangups)
	signal.Notify(d.reopens, syscall.SIGUSR1)
	defer signal.Stop(d.reopens)
	err, prepared := d.begin(ctx)
	if !prepared {
		c.Log.Warn("stopping before the start is over: a file system does not answer")
		return nil
	}
	defer func() { err = errors.Join(err, d.close()) }()
	switch {
	case errors.Is(err, errStopping):
		c.Log.Info("stopping before the start is over")
		return nil
	case err != nil:
		return err
	}
	return d.serve(ctx) // which runs pending undos also when ctx has ended
}

// prepare opens everything that can fail, in the order of the dependencies, and drops
// privileges last. When it fails, the firewall is as before. After the end of ctx the error may be
// errStopping.
func (d *daemon) prepare(ctx context.Context) (err error) {
	if err := checkPrivileges(); err != nil {
		return err
	}
	clock := newClock()
	d.clock, d.since = clock, clock.now()
	found, err := d.openState()
	if err != nil {
		return err
	}
	first, err := d.chooseScripts(ctx, found)
	if err != nil {
		return err
	}
	if d.socket, err = control.Listen(d.config.Socket); err != nil {
		return err
	}
	if d.config.Firewall.Mode != "set" {
		if d.instance, err = lockInstance(d.config.Log); err != nil {
			return err
		}
	}
	if d.firewall, err = openFirewall(d.config.Config, clock, d.lister.text); err != nil {
		return err
	}
	if d.links, err = capture.ListLinks(); err != nil {
		return err
	}
	d.openMetrics(ctx)
	d.tail = control.NewTail()
	if d.knockd, err = knockdlog.Open(d.config.Config.Log, knockdlog.SystemSocket, d.wall, d.config.Log); err != nil {
		return err
	}
	d.audit = audit.New(AuditPath(&d.config.Config), d.config.Config.Log.Audit.Text == "", d.config.Log)
	d.loop = d.newLoop(clock)
	d.reloader = d.newReloader(first)
	if d.helper != nil {
		d.reloader.hints = d.helper.hints
	}
	if first.outcome.kind == control.Applied {
		d.troubles.set(sequencesUnread, nil) // those of the last good set, which does not run
		d.warnOfPermissions(first.set)
		d.warnOfCut(first.set)
		d.warnOfCharacters(first.set)
	}
	d.openFacts(first.set)
	d.loop.setRunning(first.set, first.files, first.values)
	d.loop.guards = requiredGuards(first.set.Engine)
	if err := d.restore(first, found); err != nil {
		return err
	}
	d.beginSettling(found)
	if err := d.openCapture(first); err != nil {
		return err
	}
	return d.drop(first)
}

// drop drops the privileges that the daemon does not need. The kernel has them for each thread, so
// all threads must take part: one that hangs on the disk never does, and the others would wait for
// it. Then all privileges stay until the disk answers, and the status says so.
func (d *daemon) drop(first startup) (err error) {
	d.user = userName()
	if d.finding != nil && hangingThread() {
		d.commands, d.privileges = d.helper == nil, "all, since the disk of the state directory does not answer"
		d.troubles.set(privilegesKept, errDiskHangs)
		d.config.Log.Warn("privileges are not dropped: the disk of the state directory does not answer")
		d.confinement.Store(&confinement{text: "no, since the disk of the state directory does not answer"})
		return nil
	}
	unknown, _ := d.state.open() // a journal that is not read may have pending undos
	d.commands = d.helper == nil && (unknown == nil || len(first.set.Commands) > 0 || d.loop.engine.HasPendingUndo())
	d.startLister(d.commands)
	if d.privileges, err = d.dropTo(d.commands); err != nil {
		return err
	}
	return d.confine(first.set, d.commands)
}

// newLoop returns a loop without a capture and without doors.
func (d *daemon) newLoop(clock clock) *loop {
	l := &loop{
		clock:    clock,
		engine:   d.newEngine(),
		decoder:  packet.NewDecoder(),
		log:      d.config.Log,
		observe:  d.config.Observe,
		upkeep:   upkeep,
		readable: make(chan struct{}),
		drained:  make(chan struct{}, 1),
		calls:    make(chan func()),
		ended:    make(chan struct{}),
		facts:    &facts{resolver: resolve.New(resolve.System(), d.config.Log)},
		answered: d.answered,
		judge:    d.newClockJudge(),
	}
	if interval := d.notifier.interval(); interval > 0 {
		l.upkeep = min(l.upkeep, interval)
	}
	l.alive = func() {
		d.noteManager(d.notifier.alive(clock.now()))
	}
	l.engine.SetFacts(l.facts)
	l.engine.Stopwatch(func() time.Duration { return clock.now().Sub(d.since) })
	l.stepped = func() { l.runner.WriteJournal() } // so that a restart computes the right ends of grants
	people, quiet := d.outputs()
	l.report = newReporter(d.tail, d.knockd, people, d.config.Log)
	l.runner = effect.New(effect.Config{
		Firewall: d.firewall, Now: clock.now, Log: quiet, Commands: d.config.Limits.Commands, Grace: grace,
		Persist: func(records []engine.Record) error { return d.state.append(records, l.wallOffset()) },
		Vet:     d.vetCommand, Privileged: d.privileged(),
	})
	return l
}

// wall converts engine time into local wall-clock time.
func (d *daemon) wall(t time.Time) time.Time { return t.Add(d.loop.wallOffset()).Local() }

// newEngine returns an engine that starts now. The seed of the randomness that scripts see is
// unpredictable.
func (d *daemon) newEngine() *engine.Engine {
	var seed [8]byte
	_, _ = rand.Read(seed[:]) // it never fails
	return engine.New(engine.Config{
		Attempts: d.config.Limits.Attempts, Grants: d.config.Limits.Grants, Seed: binary.LittleEndian.Uint64(seed[:]),
	}, d.since)
}

// outputs returns the transcript for a terminal, nil when there is none, and the log for
// effects. With a terminal the log leaves out effects that succeed, since the transcript shows
// them.
func (d *daemon) outputs() (*transcript.Text, hclog.Logger) {
	if d.config.People == nil {
		return nil, d.config.Log
	}
	quiet := d.config.Log.With()
	if quiet.GetLevel() == hclog.Info {
		quiet.SetLevel(hclog.Warn)
	}
	return transcript.NewText(d.config.People, transcript.TextOptions{Color: d.config.Color}), quiet
}

// restore gives the engine its doors and the state from before the start: the records of the
// journal, and grants that are only in the kernel because a person gave them while no daemon
// ran.
func (d *daemon) restore(first startup, found stateFound) error {
	e, now := d.loop.engine, d.since
	d.noteDamage(found.recovered)
	records, changed, err := d.reconcileGrants(first.set.Engine, found)
	if err != nil {
		return err
	}
	d.loop.runner.Record(changed)
	d.loop.runner.WriteJournal() // so that a journal that cannot be written is known at once
	d.loop.dispatch(e.Swap(now, first.set.Engine))
	d.loop.startRecording(int(d.config.Record.Size))
	d.loop.checkClock() // before the first packet
	addresses, give := localInput(e, d.local(d.links), d.links.Own())
	d.loop.inputAt(now, addresses, give)
	d.loop.inputAt(now, record.Input{Kind: record.InputRestore, Records: records}, func(now time.Time) []engine.Event {
		events := e.Restore(now, records)
		d.logPendingUndos(events)
		return events
	})
	d.continueAttempts(found)
	return nil
}

// reconcileGrants compares the journal with the kernel: see [effect.Found.Reconcile].
func (d *daemon) reconcileGrants(set *engine.Set, from stateFound) (restore, changed []engine.Record, err error) {
	found := effect.Found{Records: from.recovered.Records, Damaged: len(from.recovered.Warnings) > 0 || from.recovered.Torn != nil || from.recovered.Newer.Records > 0}
	if from.err != nil {
		found.Damaged = true
		found.Records = []engine.Record{{Grant: &engine.Grant{ID: statelessID(d.since)}, Ended: true}}
	}
	if found.Elements, err = d.firewall.Elements(); err != nil {
		return nil, nil, err
	}
	if found.Whole, err = d.firewall.Whole(); err != nil {
		return nil, nil, err
	}
	d.whole, found.Now = found.Whole, d.loop.clock.now()
	found.Cut = func(name string) bool {
		i := slices.IndexFunc(set.Doors, func(door *engine.Door) bool { return door.Name == name })
		return i >= 0 && set.Doors[i].Cut
	}
	restore, changed = found.Reconcile()
	return restore, changed, nil
}

// logPendingUndos logs which undo commands run now because they became due while no daemon
// ran.
func (d *daemon) logPendingUndos(events []engine.Event) {
	var doors []string
	for i := range events {
		if e := &events[i]; e.Effect == engine.EffectUndo && e.Argv != nil {
			doors = append(doors, e.Door)
		}
	}
	if n := len(doors); n > 0 {
		slices.Sort(doors)
		d.config.Log.Info("undo commands were pending, and run now", "commands", n, "doors", strings.Join(slices.Compact(doors), ", "))
	}
}

// openCapture opens the packet socket and sets its filter.
func (d *daemon) openCapture(first startup) (err error) {
	err = d.reloader.installFilter(filter.Interest(first.set.Engine.Interest()), func(program []bpf.Instruction) (err error) {
		d.source, err = capture.Open(capture.Config{Interfaces: d.config.Interfaces, Links: d.links, Program: program})
		return err
	})
	d.loop.source = d.source
	return err
}

// close releases what prepare opened. The guards stay in the kernel.
func (d *daemon) close() error {
	var errs []error
	if d.helper != nil {
		d.helper.close()
	}
	d.unused.Wait()
	d.lister.close()
	if d.source != nil {
		_ = d.source.Close() // the loop has closed it, unless it never ran
	}
	if d.socket != nil {
		errs = append(errs, d.socket.Close())
	}
	if d.scrapes != nil {
		_ = d.scrapes.Close() // the server has closed it, unless it never ran
	}
	if d.firewall != nil {
		errs = append(errs, d.firewall.Close())
	}
	if d.instance != nil {
		errs = append(errs, d.instance.close())
	}
	if d.knockd != nil {
		errs = append(errs, d.knockd.Close())
	}
	if d.notifier != nil {
		d.notifier.close()
	}
	if d.state != nil {
		d.saveAttempts()
		errs = append(errs, within(savePatience, func() error { d.notes.Wait(); return nil }), d.state.close())
	}
	return errors.Join(errs...)
}
