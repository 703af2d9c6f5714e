package daemon

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"io"
	"net/netip"
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
	"sesame/daemon/state"
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
}

// A daemon is everything that Run puts together. After the start, the loop owns what changes,
// as described at [loop].
type daemon struct {
	config     Config
	since      time.Time // engine time
	state      *state.Dir
	socket     *control.Socket
	firewall   monitoredFirewall
	instance   *instance // nil: not held, as in mode set
	source     *capture.Source
	loop       *loop
	reloader   *reloader
	tail       *control.Tail
	knockd     *knockdlog.Log
	notifier   *notifier
	commands   bool   // privileges remained after the start, to run commands
	privileges string // privileges, as text

	links         *capture.Links
	firewallState firewallState
	hangups       chan os.Signal          // capacity 1: each is a reload
	repairs       chan struct{}           // capacity 1: see requestReconcile
	databases     *geofile.Files          // what tells the country of a source
	databaseHints chan struct{}           // capacity 1: a database may have changed
	databasePaths chan []string           // capacity 1: for the watcher; the latest list replaces an earlier one
	notes         sync.WaitGroup          // what the loop has written to the state without waiting for it
	troubles      troubles                // what goes wrong for a while
	looks         looks                   // at what the status reads outside the daemon
	damaged       []string                // what of the journal could not be read at the start
	confined      atomic.Bool             // the running set has commands, without the privileges for them
	waiting       map[uint64]chan<- error // results that a connection waits for, by the ID of the effect
}

// Run guards the machine until ctx ends. After an error, ports that were guarded stay guarded.
func Run(ctx context.Context, c Config) (err error) {
	d := &daemon{
		config: c, notifier: newNotifier(), waiting: map[uint64]chan<- error{},
		hangups: make(chan os.Signal, 1), repairs: make(chan struct{}, 1),
		databaseHints: make(chan struct{}, 1), databasePaths: make(chan []string, 1),
	}
	// A SIGHUP before this call would end the process.
	signal.Notify(d.hangups, syscall.SIGHUP)
	defer signal.Stop(d.hangups)
	defer func() { err = errors.Join(err, d.close()) }()
	if err := d.prepare(); err != nil {
		return err
	}
	return d.serve(ctx)
}

// prepare opens everything that can fail, in the order of the dependencies, and drops
// privileges last. When it fails, the firewall is as before.
func (d *daemon) prepare() (err error) {
	if err := checkPrivileges(); err != nil {
		return err
	}
	clock := newClock()
	d.since = clock.now()
	if d.state, err = state.Open(d.config.State); err != nil {
		return err
	}
	first, err := d.chooseScripts()
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
	if d.firewall, err = openFirewall(d.config.Config, clock); err != nil {
		return err
	}
	if d.links, err = capture.ListLinks(); err != nil {
		return err
	}
	d.tail = control.NewTail()
	if d.knockd, err = knockdlog.Open(d.config.Config.Log, knockdlog.SystemSocket, d.wall, d.config.Log); err != nil {
		return err
	}
	d.loop = d.newLoop(clock)
	d.reloader = d.newReloader(first)
	if first.outcome.kind == control.Applied {
		d.troubles.set(sequencesUnread, nil) // those of the last good set, which does not run
		d.warnOfPermissions(first.set)
		d.warnOfCut(first.set)
	}
	d.openFacts(first.set)
	d.loop.setRunning(first.set, first.files, first.values)
	d.loop.guards = requiredGuards(first.set.Engine)
	if err := d.restore(first); err != nil {
		return err
	}
	if err := d.openCapture(first); err != nil {
		return err
	}
	d.commands = len(first.set.Commands) > 0 || d.loop.engine.HasPendingUndo()
	d.privileges, err = dropPrivileges(d.commands)
	return err
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
		stepped:  d.recordClockStep,
		judge:    d.newClockJudge(),
	}
	if interval := d.notifier.interval(); interval > 0 {
		l.upkeep = min(l.upkeep, interval)
	}
	l.alive = func() {
		d.noteManager(d.notifier.alive(clock.now()))
	}
	l.engine.SetFacts(l.facts)
	people, quiet := d.outputs()
	l.report = newReporter(d.tail, d.knockd, people, d.config.Log)
	l.runner = effect.New(effect.Config{
		Firewall: d.firewall, Now: clock.now, Log: quiet, Commands: d.config.Limits.Commands, Grace: grace,
		Persist: func(records []engine.Record) error { return d.state.Append(records, l.wallOffset()) },
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

// recordClockStep writes to the journal that the wall clock was set, so that a restart
// computes the right ends of grants. It uses a goroutine because the loop must not wait for
// the disk.
func (d *daemon) recordClockStep() {
	d.notes.Go(func() {
		// The goroutine reads the offset itself, since two of them may overtake each other.
		err := d.state.Append(nil, d.loop.wallOffset())
		if d.troubles.set(clockNotSaved, err) {
			d.config.Log.Warn("the journal does not know that the wall clock was set", "error", err)
		}
	})
}

// restore gives the engine its doors and the state from before the start: the records of the
// journal, and grants that are only in the kernel because a person gave them while no daemon
// ran.
func (d *daemon) restore(first startup) error {
	e, now := d.loop.engine, d.since
	recovered, err := d.state.Recover(now)
	if err != nil {
		return err
	}
	for _, warning := range recovered.Warnings {
		d.config.Log.Warn("the journal was damaged", "error", warning)
		d.damaged = append(d.damaged, warning.Error())
	}
	standing, err := d.firewall.Elements()
	if err != nil {
		return err
	}
	records := append(recovered.Records, adoptElements(standing, recovered, now)...)
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
	return nil
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

// adoptElements returns grants for the elements in the kernel that no record of the journal
// knows: a person gave them while no daemon ran. An element whose grant has ended by its
// record is not adopted: a crash came between the record and the removal. When records were
// lost, that cannot be known, and the element is adopted.
func adoptElements(standing []effect.Element, recovered state.Recovered, now time.Time) []engine.Record {
	type key struct {
		source netip.Prefix
		port   packet.Port
	}
	live := map[key]bool{}
	last := uint64(0)
	for _, r := range recovered.Records {
		if g := r.Grant; g != nil {
			last = max(last, g.ID)
			live[key{g.Source, g.Port}] = live[key{g.Source, g.Port}] || !r.Ended && g.End.After(now)
		}
	}
	ended := last
	if len(recovered.Warnings) > 0 {
		ended = 0
	}
	for _, e := range standing {
		last = max(last, e.Grant)
	}
	var records []engine.Record
	for _, e := range standing {
		if e.Remaining <= 0 || live[key{e.Source, e.Port}] || e.Grant != 0 && e.Grant <= ended {
			continue
		}
		last++
		g := &engine.Grant{ID: last, Door: e.Door, Source: e.Source, Port: e.Port, TTL: e.Remaining, End: now.Add(e.Remaining)}
		if e.Door != "" {
			g.By = e.Source.Addr()
		}
		records = append(records, engine.Record{Grant: g})
	}
	return records
}

// openCapture opens the packet ring and sets its filter.
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
	if d.source != nil {
		_ = d.source.Close() // the loop has closed it, unless it never ran
	}
	if d.socket != nil {
		errs = append(errs, d.socket.Close())
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
	d.notifier.close()
	d.notes.Wait()
	if d.state != nil {
		errs = append(errs, d.state.Close())
	}
	return errors.Join(errs...)
}
