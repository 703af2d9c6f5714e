package suite

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"sesame/daemon/engine"
	"sesame/daemon/packet"
	"sesame/daemon/spelling"
	"sesame/daemon/transcript"
	"sesame/scripting"
	"sesame/scripting/source"
	"sesame/scripting/spec"
	"sesame/simulate"
	"sesame/simulate/craft"
)

// What a test may cost. Each bound is far beyond what tests need, and ends a test as a failure.
const (
	// maxSteps bounds what a test sends, the timers that fire in it, and what functions do: in
	// steps of [scripting.Set.Steps], some seconds of work. A packet and a timer count as many
	// steps without the functions that they call.
	maxSteps    = 100_000_000
	packetSteps = 20
	timerSteps  = 400
	// maxPackets is what a single scan may send.
	maxPackets = maxSteps / packetSteps
	// maxCame bounds the events of a step that are kept, and maxCameBytes their texts.
	maxCame      = 10_000
	maxCameBytes = 4 << 20
	// maxGolden is the size of the largest golden transcript, in bytes.
	maxGolden = 16 << 20
)

// running is a test while it runs.
type running struct {
	stopped func() error // returns an error when the time is over
	config  *Config
	test    *spec.Test
	set     *scripting.Set
	covered *covered // nil: nobody asked
	explain bool

	session    *simulate.Session
	sender     craft.Sender
	facts      facts
	steps      int64                // used so far, without those of functions
	before     int64                // steps that functions of the set used before the test
	limit      int64                // of steps in this turn; 0: maxSteps
	index      int                  // of the step at hand
	sent       int                  // packets of knocks and scans
	sentBefore int                  // of them before the step at hand
	atDoors    int                  // packets of the step at hand that went to a port of a door
	watched    map[packet.Port]bool // ports of knocks of all doors
	next       time.Time            // when the next packet can be sent, by the delay of the one before
	ran        map[uint64]string
	step       *spec.Step
	came       []happening
	bytes      int // of the texts of came
	more       int // events that are not kept
	golden     *golden
	listed     []*listedAccount // accounts of the step; nil: not made yet
	result     Result
}

// errSkipped ends a test whose capture is missing, or whose files this process may not read.
var errSkipped = errors.New("skipped")

// errLater ends a test that has used the steps of its turn.
var errLater = errors.New("the turn is over")

// play runs a test with a set.
func (w *worker) play(ctx context.Context, test *spec.Test, set *scripting.Set, limit int64, explain bool) Result {
	t := &running{
		stopped: ctx.Err, config: w.config, test: test, set: set, before: set.Steps(), limit: limit, explain: explain, ran: map[uint64]string{},
		result: Result{Test: test, Outcome: Passed},
	}
	if !explain {
		t.covered = w.sets.covered // what is run twice counts once
	}
	err := t.all(ctx)
	switch {
	case t.result.Outcome == Failed: // also when the time ended a moment later
	case ctx.Err() != nil && (err != nil || t.session == nil), errors.Is(err, errLater):
		t.result = Result{Test: test, Outcome: NotRun, Why: "stopped before it ended"}
	case errors.Is(err, errSkipped):
		t.result.Outcome = Skipped
	case err != nil:
		t.fail(Failure{Place: t.place(), Message: err.Error()})
	}
	return t.result
}

// place is the step at hand, or the test before its first step.
func (t *running) place() source.Place {
	if t.step != nil {
		return t.step.Place
	}
	return t.test.Place
}

// fail notes a failure.
func (t *running) fail(f Failure) {
	t.result.Outcome = Failed
	for _, earlier := range t.result.Failures {
		if slices.Equal(earlier.Explanation, f.Explanation) {
			f.Explanation = nil // it was said
		}
	}
	if len(t.result.Failures) < mostFailures {
		t.result.Failures = append(t.result.Failures, f)
	}
}

// all runs the steps. It ends at the first step with a failure: what comes behind it would only
// follow from that.
func (t *running) all(ctx context.Context) error {
	if err := t.missing(); err != nil {
		return err
	}
	begin, err := t.begin()
	if err != nil {
		return err
	}
	if err := t.unknownNames(); err != nil {
		return err
	}
	t.start(begin)
	for i := range t.test.Steps {
		t.step, t.index = &t.test.Steps[i], i
		if err := t.one(ctx); err != nil || t.result.Outcome == Failed {
			return err
		}
		t.result.Virtual = t.session.Now().Sub(begin)
	}
	return nil
}

// start makes the engine, and tells it what is known.
func (t *running) start(begin time.Time) {
	t.facts.state(t.test.Facts)
	t.watched = watchedBy(t.set.Engine)
	t.session = simulate.NewSession(simulate.SessionConfig{
		Set: t.set.Engine, Begin: begin, Local: t.local(), Facts: &t.facts, Unsynchronised: t.test.Unsynchronised,
		Result: t.exit, Events: t.events, Before: t.spend, Checked: t.covered.checked(), Explain: t.explain,
		Open: t.config.open,
	})
}

// watchedBy returns the ports of the knocks of all doors.
func watchedBy(set *engine.Set) map[packet.Port]bool {
	watched := map[packet.Port]bool{}
	for _, d := range set.Doors {
		for k := range d.Knocks() {
			watched[k.Port] = true
		}
	}
	return watched
}

// begin returns when the test begins. One that begins with a capture, and says no time, begins with
// its first packet.
func (t *running) begin() (time.Time, error) {
	first := &t.test.Steps[0]
	switch {
	case !t.test.At.IsZero():
		return t.test.At, nil
	case !first.At.IsZero():
		return first.At, nil
	case first.Action == spec.Replay:
		return simulate.Begins(t.config.open, t.path(first.Capture))
	}
	return spec.Begin, nil
}

// unknownNames reports the commands of exits that the scripts do not have.
func (t *running) unknownNames() error {
	for _, name := range slices.Sorted(keysOf(t.test.Exits)) {
		if err := t.hasCommand(name); err != nil {
			return fmt.Errorf("exits: %w", err)
		}
	}
	return nil
}

// hasCommand returns an error when the scripts have no command of a name.
func (t *running) hasCommand(name string) error {
	var names []string
	for _, c := range t.set.Commands {
		names = append(names, c.Name)
	}
	if slices.Contains(names, name) {
		return nil
	}
	return fmt.Errorf("the scripts have no command %q%s", name, spelling.DidYouMean(name, names))
}

// local returns the addresses of the host; nil: every destination counts.
func (t *running) local() []netip.Prefix {
	if t.test.Host == nil {
		return nil
	}
	local := make([]netip.Prefix, len(t.test.Host))
	for i, address := range t.test.Host {
		local[i] = netip.PrefixFrom(address, address.BitLen())
	}
	return local
}

// door returns the door of a name, with the sequence that it expects now; nil: there is none.
func (t *running) door(name string) *engine.Door {
	for _, d := range t.session.Doors() {
		if d.Name == name {
			return d
		}
	}
	return nil
}

// spend counts packets that come and timers that fire, and ends a test that has used all its steps
// or has no more time.
func (t *running) spend(packets, timers int) error {
	t.steps += int64(packets)*packetSteps + int64(timers)*timerSteps
	used := t.steps + t.set.Steps() - t.before
	if used > maxSteps {
		return fmt.Errorf("the test takes more than %s steps (a packet counts as %d, a timer that fires as %d, and each instruction of a function as one): make it smaller",
			transcript.Number(maxSteps), packetSteps, timerSteps)
	}
	if t.limit > 0 && used > t.limit {
		return errLater
	}
	return t.stopped()
}

// events notes what an input brought about.
func (t *running) events(events []engine.Event) {
	t.covered.events(events)
	if t.golden != nil {
		t.golden.events(events)
	}
	for i := range events {
		e := &events[i]
		if e.Kind == engine.EventEffect && e.Argv != nil && e.ID != 0 {
			t.ran[e.ID] = t.commandOf(e)
		}
		h, named := t.happeningOf(e)
		if !named {
			continue
		}
		if e.Kind == engine.EventRefuse && e.Reason == engine.ScriptError {
			h.detail = cmp.Or(h.detail, t.fault())
		}
		if t.bytes += h.size(); len(t.came) == maxCame || t.bytes > maxCameBytes {
			t.more++
			continue
		}
		t.came = append(t.came, h)
	}
}

// fault takes the error back that led to the refusal at hand, and returns what it says: a test
// names the refusal alone. The engine reports the error just before.
func (t *running) fault() string {
	last := len(t.came) - 1
	if last < 0 || t.came[last].kind != kind(spec.Fails) {
		return "" // it was one too many to be kept
	}
	h := t.came[last]
	t.came = t.came[:last]
	return h.detail
}

// commandOf returns the name of the command of an effect.
func (t *running) commandOf(e *engine.Event) string {
	if c, _ := t.set.CommandOf(e.Argv); c != nil {
		return c.Name
	}
	return ""
}

// exit returns how an effect ends: a command with the status that the test gives it. Its undo ends
// with success.
func (t *running) exit(e *engine.Event) error {
	if e.Effect != engine.EffectExec || e.Argv == nil {
		return nil
	}
	if status := t.test.Exits[t.commandOf(e)]; status != 0 {
		return &engine.CommandError{Status: status, Text: fmt.Sprintf("exit status %d", status)}
	}
	return nil
}
