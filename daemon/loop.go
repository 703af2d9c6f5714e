package daemon

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"

	"sesame/daemon/capture"
	"sesame/daemon/effect"
	"sesame/daemon/engine"
	"sesame/daemon/filter"
	"sesame/daemon/packet"
	"sesame/daemon/record"
	"sesame/scripting"
	"sesame/scripting/source"
)

const (
	// slack is how much later than packets all other inputs are given. A packet
	// that arrived before a timer's deadline may still be on its way through the
	// kernel when the deadline comes.
	slack = 20 * time.Millisecond
	// upkeep is how often the loop looks at what nobody tells it: packets that
	// the kernel lost, the wall clock.
	upkeep = time.Second
	// wallJitter is how far two readings of the clocks may lie apart without the
	// wall clock having been set.
	wallJitter = 5 * time.Millisecond
	// maxDrained is more packets than the ring holds.
	maxDrained = 1 << 16
)

// A loop owns the engine, the Lua states, the decoder and the recorder: only the
// goroutine in run touches them, and what others want of them they do there.
type loop struct {
	clock    clock
	engine   *engine.Engine
	set      *scripting.Set
	source   *capture.Source
	filter   *filter.Filter
	decoder  *packet.Decoder
	runner   *effect.Runner
	recorder *record.Recorder // nil: nothing is recorded
	report   *reporter
	log      hclog.Logger
	alive    func() // tells the watchdog

	// readable is sent to when packets wait, and drained answers when they were
	// taken.
	readable chan struct{} // capacity 0
	drained  chan struct{} // capacity 1
	calls    chan func()   // capacity 0: whoever calls waits
	ended    chan struct{} // closed when run has returned

	files    *source.Files              // of the files of set
	values   map[string]string          // of the scripts' options
	observe  bool                       // no door is in earnest
	guards   effect.Guards              // that the firewall shall hold
	answered func(id uint64, err error) // told of every effect that was carried out, or not
	stepped  func()                     // told when the wall clock was set
	upkeep   time.Duration              // how often the loop goes round at least

	nextUpkeep time.Time

	packet   packet.Packet
	stopping bool
	offset   atomic.Int64 // wall clock less engine time, in nanoseconds; the journal reads it too
	numbered int          // packets given to the engine
	dropped  [packet.Drops]int
	lost     uint64 // packets that the kernel had no room for
	lostTold time.Time
}

// do runs f on the loop, between two inputs, and returns when it has. False: the
// loop or ctx has ended, and f does not run.
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

// run is the life of the daemon. After ctx has ended it goes on for as long as
// undos are owed, at most for grace.
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
		case ask := <-l.calls:
			ask()
		case <-stop:
			stop, deadline = nil, l.clock.now().Add(grace)
			l.stop()
		}
		l.tick()
		l.alive()
		if l.stopping && (l.engine.Unanswered() == 0 || !l.clock.now().Before(deadline)) {
			return
		}
	}
}

// stop runs the undos that only a daemon can run, and opens nothing any more.
func (l *loop) stop() {
	l.input(record.Input{Kind: record.InputShutdown}, l.engine.Shutdown)
	l.runner.Stop()
	l.stopping = true
	_ = l.source.Close() // it only read
}

// idle returns how long there is nothing to do unless something comes.
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

// drain gives the engine all packets that arrived until now, and returns the time
// up to which it then has them all. A flood that fills the ring as fast as it is
// drained does not hold it: stamps tell when a packet came, and where the wall
// clock was set back meanwhile, their number.
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

// frame decodes what the kernel's filter let through, and gives it to the engine.
func (l *loop) frame(f *capture.Frame, at, now time.Time) {
	if !l.filter.Match(f.Link, f.Data) {
		l.dropped[packet.NotWatched]++
		return
	}
	if drop := l.decoder.Decode(f.Link, f.Data, f.Wire, &l.packet); drop != packet.Kept {
		l.dropped[drop]++
		return
	}
	l.numbered++
	l.packet.Time, l.packet.Number = l.clampTime(at, now), l.numbered
	if l.recorder != nil {
		l.recorder.Packet(&l.packet, f.Data, f.Wire)
	}
	l.dispatch(l.engine.Packet(&l.packet))
}

// clampTime bounds a packet's time, which is far off when the wall clock was set
// after the kernel stamped it: no packet is older than the one before it, nor from
// the future.
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

// input gives the engine an input that is no packet, after all packets that came
// before it.
func (l *loop) input(in record.Input, give func(now time.Time) []engine.Event) {
	now := l.drain()
	if last := l.engine.Now(); now.Before(last) {
		now = last
	}
	in.Time = now
	l.note(in)
	l.dispatch(give(now))
}

// note records an input.
func (l *loop) note(in record.Input) {
	if l.recorder != nil {
		l.recorder.Input(in)
	}
}

// take carries events on: to those who carry them out, and to those who watch.
func (l *loop) dispatch(events []engine.Event) {
	if len(events) == 0 {
		return
	}
	l.runner.Enqueue(events)
	l.report.events(events)
}

// tick lets the timers that are due fire, and now and then looks at what nobody
// tells, whatever else there is to do.
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
	l.countLost(now)
	if l.recorder != nil && l.recorder.Due(now) {
		l.beginRecording()
	}
}

// results tells the engine what became of its effects.
func (l *loop) results() {
	for _, r := range l.runner.Results() {
		l.input(record.Result(r.ID, r.Err), func(now time.Time) []engine.Event { return l.engine.Result(now, r.ID, r.Err) })
		l.answered(r.ID, r.Err)
	}
}

// readClock returns engine time, and follows the wall clock. A difference is
// believed when it shows twice: the two clocks are not read in one instant.
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

// step tells the engine how far the wall clock is from its own time.
func (l *loop) step() {
	at := l.engine.Now()
	l.note(record.Input{Kind: record.InputStep, Time: at, Offset: l.wallOffset()})
	l.dispatch(l.engine.Step(at, l.wallOffset()))
}

// countLost calls the kernel what it had no room for, and says so at most every
// ten seconds: whoever sends packets decides how often there is something to say.
func (l *loop) countLost(now time.Time) {
	if l.stopping {
		return
	}
	lost, err := l.source.Lost()
	if err != nil {
		return
	}
	l.lost += lost
	if lost > 0 && now.Sub(l.lostTold) >= 10*time.Second {
		l.lostTold = now
		l.log.Warn("packets were lost: they came faster than they were looked at", "lost", lost, "in_all", l.lost)
	}
}

// swap exchanges the doors, between two packets.
func (l *loop) swap(set *scripting.Set, files *source.Files, values map[string]string) {
	in := record.Input{Kind: record.InputSet, Scripts: recorded(set, files, values, l.observe)}
	l.input(in, func(now time.Time) []engine.Event { return l.engine.Swap(now, set.Engine) })
	old := l.set
	l.setRunning(set, files, values)
	old.Close()
}

// put makes a set the one that runs, as far as it is not the engine's to know.
func (l *loop) setRunning(set *scripting.Set, files *source.Files, values map[string]string) {
	l.set, l.files, l.values = set, files, values
	l.filter = filter.New(filter.Interest(set.Engine.Interest()))
}

// recorded returns a set with all that decides what it does, for a recording.
func recorded(set *scripting.Set, files *source.Files, values map[string]string, observe bool) record.Scripts {
	r := record.Scripts{Single: files.Single, Values: values, Observe: observe}
	for _, f := range set.Files {
		r.Files = append(r.Files, record.File{Path: f.Path, Source: f.Source})
		if f.Referenced() {
			r.Base = files.Base
		}
	}
	return r
}

// startRecording begins to keep so many bytes of inputs; none for 0.
func (l *loop) startRecording(size int) {
	if size > 0 {
		l.recorder = record.NewRecorder(size)
		l.beginRecording()
	}
}

// beginRecording begins a part of the recording that can be replayed alone.
func (l *loop) beginRecording() {
	l.recorder.Begin(l.engine.Now(), l.engine.State(), recorded(l.set, l.files, l.values, l.observe))
}

// install calls for the firewall to be as it must be now. The error comes when it
// was done, in order with the effects before it.
func (l *loop) install() <-chan error { return l.runner.Install(l.guards, l.engine.Elements()) }

// guard lets the firewall guard what the doors guard, and those of another set
// too if there is one, and waits until it does. It is for others than the loop,
// which carries it out meanwhile.
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
