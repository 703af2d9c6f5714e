package daemon

import (
	"context"
	"crypto/sha256"
	"errors"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"

	"sesame/daemon/capture"
	"sesame/daemon/effect"
	"sesame/daemon/engine"
	"sesame/daemon/filter"
	"sesame/daemon/packet"
	"sesame/daemon/record"
	"sesame/daemon/wire"
	"sesame/scripting"
	"sesame/scripting/source"
)

const (
	// slack is how much later than packets all other inputs are given. A packet that arrived
	// before the deadline of a timer may still be on its way through the kernel when the
	// deadline comes.
	slack = 20 * time.Millisecond
	// upkeep is the interval at which the loop polls what sends no event: the count of lost
	// packets and the wall clock.
	upkeep = time.Second
	// wallJitter is the largest difference between two readings of the clocks that does not
	// count as a step of the wall clock.
	wallJitter = 5 * time.Millisecond
	// maxDrained bounds one drain. It is more packets than can wait in the kernel.
	maxDrained = 1 << 17
)

// A loop owns the engine, the Lua states, the decoder and the recorder. Only the goroutine in
// run touches them. Others run a function there with do.
type loop struct {
	clock    clock
	engine   *engine.Engine
	set      *scripting.Set
	source   *capture.Source
	filter   *filter.Filter
	decoder  *packet.Decoder
	runner   *effect.Runner
	recorder *record.Recorder // nil: nothing is recorded
	facts    *facts
	report   *reporter
	openings openings
	proof    *proof            // nil: no set is on trial
	used     []engine.Consumed // one-time sequences that the running set still has
	log      hclog.Logger
	alive    func() // called each time round, for the watchdog

	// The goroutine that waits for packets sends on readable when there are some, and waits for
	// drained before it looks again.
	readable chan struct{} // capacity 0
	drained  chan struct{} // capacity 1
	calls    chan func()   // capacity 0: the caller waits
	ended    chan struct{} // closed when run has returned

	files    *source.Files              // that set was loaded from
	values   map[string]string          // of the scripts' options
	observe  bool                       // nothing is enforced
	guards   effect.Guards              // that the firewall must hold
	answered func(id uint64, err error) // called with the result of each effect
	stepped  func()                     // called when the wall clock was set
	judge    *clockJudge                // nil: the wall clock is never in doubt
	upkeep   time.Duration              // the longest time without a round

	nextUpkeep time.Time

	packet     packet.Packet
	stopping   bool
	offset     atomic.Int64 // wall clock less engine time, in nanoseconds; the journal reads it too
	clockDoubt bool         // the engine was told that the wall clock is in doubt
	// windowsRefuse means that people were told that windows refuse, as checkClock found.
	windowsRefuse bool
	numbered      int // packets given to the engine
	dropped       [packet.Drops]int
	lost          uint64 // packets that the kernel had no room for
	lostLogged    time.Time
}

// do runs f in the loop, between two inputs, and returns when f has returned. It returns false
// when the loop or ctx has ended and f does not run. The loop itself must not call it: it
// would wait for itself.
func (l *loop) do(ctx context.Context, f func()) bool {
	done := make(chan struct{})
	select {
	case l.calls <- func() { f(); close(done) }:
		<-done
		return true
	case <-l.ended:
	case <-ctx.Done():
	}
	return false
}

// run handles inputs until ctx has ended and all undo commands are done, but for at most grace
// after the end of ctx.
func (l *loop) run(ctx context.Context, grace time.Duration) {
	defer close(l.ended)
	timer := newTimer(l.idle(time.Time{}))
	defer timer.Stop()
	stop := ctx.Done()
	var deadline time.Time
	for {
		timer.Reset(l.idle(deadline))
		select {
		case <-l.readable:
			l.drain()
			l.drained <- struct{}{}
		case <-timer.C:
		case <-l.runner.Ready():
			l.results()
		case call := <-l.calls:
			call()
		case <-stop:
			stop, deadline = nil, l.clock.now().Add(grace)
			l.stop(errors.Is(context.Cause(ctx), ErrRestart))
		}
		l.tick()
		l.alive()
		if l.stopping && (l.engine.Unanswered() == 0 || !l.clock.now().Before(deadline)) {
			return
		}
	}
}

// stop gives the engine the shutdown, which runs the undo commands that need a daemon. Before a
// restart these stay pending, as after a crash: they are in the journal, and the next start runs
// them at their time. From now on no packet is read and nothing opens. The guards stay in the
// kernel.
func (l *loop) stop(restart bool) {
	if !restart {
		l.input(record.Input{Kind: record.InputShutdown}, l.engine.Shutdown)
	}
	l.runner.Stop()
	l.stopping = true
	_ = l.source.Close() // it was only read
}

// idle returns how long the loop may wait for an event.
func (l *loop) idle(deadline time.Time) time.Duration {
	now := l.clock.now()
	until := l.nextUpkeep.Sub(now)
	if next, some := l.engine.Next(); some {
		until = min(until, next.Add(slack).Sub(now))
	}
	if l.stopping {
		until = min(until, deadline.Sub(now))
	}
	return until
}

// drain gives the engine all packets that arrived until now, and returns the time up to which
// the engine has them all. Two bounds keep a flood from holding the loop: the time stamp of a
// packet that arrived after the call, and maxDrained for the case that the wall clock was set
// back in the meantime.
func (l *loop) drain() time.Time {
	now := l.readClock()
	var f capture.Frame
	for n := 0; n < maxDrained && !l.stopping && l.source.Next(&f); n++ {
		at := f.Stamp.Add(-l.wallOffset())
		l.frame(&f, at, now)
		if at.After(now) {
			break
		}
	}
	return now.Add(-slack)
}

// frame decodes a packet that passed the kernel's filter and gives it to the engine. It counts
// the packets that it drops.
func (l *loop) frame(f *capture.Frame, at, now time.Time) {
	if !l.filter.Match(f.Link, f.Data) {
		l.dropped[packet.NotWatched]++
		return
	}
	if f.Stray {
		l.dropped[packet.Malformed]++
		return
	}
	if drop := l.decoder.DecodeReceived(f.Link, f.Data, f.Wire, f.Reception, &l.packet); drop != packet.NotDropped {
		l.dropped[drop]++
		return
	}
	l.numbered++
	l.packet.Time, l.packet.Number, l.packet.Interface, l.packet.LinkDigest = l.clampTime(at, now), l.numbered, uint32(f.Interface), f.LinkDigest
	l.fireInParts(l.packet.Time)
	events := l.engine.Packet(&l.packet)
	if l.recorder != nil {
		l.recordGiven(l.packet.Time)
		l.recorder.Packet(&l.packet, f.Data, f.Wire)
	}
	l.openings.packet(&l.packet, events, l.engine)
	l.dispatch(events)
}

// clampTime bounds the time of a packet. The kernel's stamp may be far off when the wall clock
// was set after it was taken, but no packet is older than the one before it or newer than now.
func (l *loop) clampTime(at, now time.Time) time.Time {
	if at.After(now) {
		if now = l.clock.now(); at.After(now) {
			at = now
		}
	}
	if last := l.engine.Now(); at.Before(last) {
		return last
	}
	return at
}

// dispatch queues events for the runner and reports them. It never waits.
func (l *loop) dispatch(events []engine.Event) {
	if len(events) == 0 {
		return
	}
	if l.runner.Enqueue(events) {
		// The runner has the processor first: reports can wait, and whoever knocked cannot. Else
		// it waits 100 µs and more on two processors, where the change itself takes 50.
		runtime.Gosched()
	}
	l.report.events(events)
	l.openings.events(events)
	l.used = appendUsed(l.used, events)
	if l.proof != nil {
		l.proof.events(events)
	}
}

// tick gives the engine the timers that are due, and polls at the interval of upkeep, even
// when packets come without a pause.
func (l *loop) tick() {
	now := l.clock.now()
	if next, some := l.engine.Next(); some && !next.After(now.Add(-slack)) {
		l.input(record.Input{Kind: record.InputTick}, l.engine.Tick)
	}
	if now.Before(l.nextUpkeep) {
		return
	}
	l.nextUpkeep = now.Add(l.upkeep)
	l.readClock()
	l.checkClock()
	l.countLost(now)
	l.report.summarise(now)
	if l.recorder != nil && l.recorder.Due(now) {
		l.beginRecording()
	}
}

// results gives the engine the results of its effects.
func (l *loop) results() {
	for _, r := range l.runner.Results() {
		l.input(record.Result(r.ID, r.Err), func(now time.Time) []engine.Event { return l.engine.Result(now, r.ID, r.Err) })
		l.answered(r.ID, r.Err)
		l.report.gave(r.Gave)
		if l.proof != nil {
			l.proof.result(r.ID, r.Err)
		}
	}
}

// readClock returns engine time and updates the offset of the wall clock. It reads twice when
// the offset differs, since the process may be interrupted between the two readings.
func (l *loop) readClock() time.Time {
	now, offset := l.clock.read()
	if (offset - l.wallOffset()).Abs() > wallJitter {
		now, offset = l.clock.read()
	}
	if step := offset - l.wallOffset(); step.Abs() > wallJitter {
		l.log.Info("the wall clock was set", "by", step.String())
		l.offset.Store(int64(offset))
		l.step()
		l.stepped()
	}
	return now
}

func (l *loop) wallOffset() time.Duration { return time.Duration(l.offset.Load()) }

// step gives the engine the offset between the wall clock and engine time.
func (l *loop) step() {
	in := record.Input{Kind: record.InputStep, Offset: l.wallOffset()}
	l.inputAt(l.engine.Now(), in, func(now time.Time) []engine.Event { return l.engine.Step(now, in.Offset) })
}

// countLost adds the packets that the kernel had no room for. It logs at most every ten
// seconds, since anybody who sends packets can make them be lost.
func (l *loop) countLost(now time.Time) {
	if l.stopping {
		return
	}
	lost, err := l.source.Lost()
	if err != nil {
		return
	}
	l.lost += lost
	if lost > 0 && now.Sub(l.lostLogged) >= 10*time.Second {
		l.lostLogged = now
		l.log.Warn("packets were lost: they came faster than they were looked at", "lost", lost, "in_all", l.lost)
	}
}

// swap replaces the doors of the engine between two packets, and returns the old set. The caller
// closes it.
func (l *loop) swap(set *scripting.Set, files *source.Files, values map[string]string) (old *scripting.Set) {
	in := record.Input{Kind: record.InputSet, Scripts: recorded(set, files, values, l.observe)}
	l.input(in, func(now time.Time) []engine.Event { return l.engine.Swap(now, set.Engine) })
	l.engine.ForgetFailing(changedIn(l.set, set))
	old = l.set
	l.setRunning(set, files, values)
	return old
}

// changedIn returns which failing functions may be correct in the later of two sets: their script,
// or the module in which they failed, has another text.
func changedIn(before, after *scripting.Set) func(engine.Failing) bool {
	texts := func(set *scripting.Set) map[string][sha256.Size]byte {
		sums := map[string][sha256.Size]byte{}
		for _, f := range set.Files {
			sums[f.Path] = f.SHA256
		}
		return sums
	}
	was, is := texts(before), texts(after)
	return func(f engine.Failing) bool {
		return was[f.Script] != is[f.Script] || was[f.Fault.Script] != is[f.Fault.Script]
	}
}

// setRunning sets what the loop knows of the running set. The engine gets its doors by Swap.
func (l *loop) setRunning(set *scripting.Set, files *source.Files, values map[string]string) {
	l.set, l.files, l.values, l.used = set, files, values, nil
	l.filter = filter.New(filter.Interest(set.Engine.Interest()))
	l.openings.knocks.SetDoors(set.Engine.Doors)
	l.report.setDoors(set.Engine.Doors)
}

// recorded returns a set with everything that decides its behaviour, for a recording.
func recorded(set *scripting.Set, files *source.Files, values map[string]string, observe bool) record.Scripts {
	r := record.Scripts{Single: wire.Text(files.Single), Values: values, Observe: observe}
	for _, f := range set.Files {
		r.Files = append(r.Files, wire.File{Path: wire.Text(f.Path), Source: f.Source, OneTime: f.OneTime})
		if f.Referenced() {
			r.Base = wire.Text(files.Base)
		}
	}
	return r
}

// startRecording starts the recorder with this many bytes; not for 0.
func (l *loop) startRecording(size int) {
	if size > 0 {
		l.recorder = record.NewRecorder(size)
		l.beginRecording()
	}
}

// beginRecording begins a part of the recording that can be replayed without the parts before
// it.
func (l *loop) beginRecording() {
	l.recorder.Begin(l.engine.Now(), l.engine.State(), recorded(l.set, l.files, l.values, l.observe))
}

// install queues an installation of the whole table, in order with the effects before it. The
// channel gets the result.
func (l *loop) install() <-chan error { return l.runner.Install(l.guards, l.engine.Elements()) }

// guard makes the firewall guard the ports of the running set, and of also if it is not nil,
// and waits for the result. The loop must not call it: it carries out the installation
// in the meantime.
func (l *loop) guard(ctx context.Context, also *engine.Set) error {
	var done <-chan error
	if !l.do(ctx, func() {
		l.guards = requiredGuards(l.set.Engine)
		if also != nil {
			l.guards = mergeGuards(l.guards, requiredGuards(also))
		}
		done = l.install()
	}) {
		return errStopping
	}
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return errStopping
	}
}
