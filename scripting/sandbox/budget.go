package sandbox

import (
	"fmt"
	"sync/atomic"
	"time"
)

// The currency of this package is the step: an instruction of the machine, or stepBytes bytes of
// memory, whether they are still in use or not. A library function that does more than a few steps
// of work charges the rest. A step is some 30 ns of work, and at most 300 ns.
const stepBytes = 32

// The defaults of [Config]. What the files of a set make while they load takes some 110 MiB at
// most, and a call allocates at most 16 MiB.
const (
	LoadSteps = 3_500_000 // all files of a set together, compiling them included
	CallSteps = 200_000   // a call: it runs in the loop of the daemon
)

// What a call of an older set may use: see [Config.Older].
const (
	olderSteps     = 200_000
	olderBytes     = 4 << 20
	olderStepBytes = 64
)

// A Budget counts what scripts use, and ends what would use more. It is not safe for concurrent
// use.
//
// Once err is set it stays set until start: charge returns false, and every further instruction
// fails. So a pcall that catches the first failure cannot run another instruction; State.attempt
// does not even let it catch.
//
// The counters cannot overflow: every charge is bounded by the fixed limits of this package, and
// the script ends at the first one beyond its budget.
type Budget struct {
	limit        int64 // in steps
	load, older  bool  // what it is for
	steps, bytes int64 // used since start; the bytes are not among the steps
	err          error // ErrSteps or ErrTime once a limit is passed

	late *atomic.Bool  // set from outside when the call has taken too long
	took time.Duration // how long that is, for the message
}

// NewBudget returns the budget of a set that loads, in steps. Its files share it.
func NewBudget(steps int64) *Budget { return &Budget{limit: steps, load: true, late: &never} }

// start begins the budget of a call.
func (b *Budget) start(limit int64, older bool) {
	*b = Budget{limit: limit, older: older, late: &never}
}

// used returns what was used, in steps.
func (b *Budget) used() int64 {
	if b.older {
		return b.steps + b.bytes/olderStepBytes
	}
	return b.steps + b.bytes/stepBytes
}

// left reports whether more may be done.
func (b *Budget) left() bool {
	over := b.used() > b.limit
	if b.older {
		over = b.steps > olderSteps || b.bytes > olderBytes
	}
	switch {
	case b.err != nil:
	case over: // it is named before the clock, since each replay passes it too
		b.err = ErrSteps
	case b.late.Load():
		b.err = ErrTime
	default:
		return true
	}
	return false
}

// Spent reports whether something needed more than was left.
func (b *Budget) Spent() bool { return b.err != nil }

// charge counts work that is about to be done, and reports whether it may be done. The callers
// charge before they allocate.
func (b *Budget) charge(steps, bytes int64) bool {
	b.steps += steps
	b.bytes += bytes
	return b.left()
}

// message describes the limit that was passed, with advice for the author of the script.
func (b *Budget) message() string {
	if b.err == ErrTime {
		return fmt.Sprintf("the function was stopped after %v by the clock: the machine is overloaded, or the function has too much to do", b.took)
	}
	advice := ": is there a loop that does not end?"
	if b.bytes/stepBytes > b.steps/2 {
		advice = ": make fewer or smaller strings and tables"
		if b.load {
			advice += "."
		}
	}
	if b.load {
		advice += longList
	}
	return b.passed() + advice
}

// longList is the advice that helps when nothing is wrong but the length of a list: a line of a
// file costs no steps.
const longList = ` Write a long list into a file of its own, such as file = "lists/office.txt"`

func (b *Budget) passed() string {
	switch {
	case b.load:
		return fmt.Sprintf("all files together take more than %d steps to load", b.limit)
	case b.older:
		return fmt.Sprintf("the function takes more than %d steps", olderSteps)
	}
	return fmt.Sprintf("the function takes more than %d steps", b.limit)
}

// failed returns the error of a file that was compiled until the budget was used up.
func (b *Budget) failed(p *Program, line int) *Error {
	e := p.errorAt(line, 0, "%s: write less code, and put long lists into files of their own", b.passed())
	e.Cause = b.err
	return e
}

// A counter counts what a State runs. It implements context.Context, because gopher-lua's only hook
// before each instruction is the call of Done in mainLoopWithContext (vm.go). So the limit needs no
// clock, no second goroutine, and no change of gopher-lua. A call that the host bounds by a clock
// too ends at the same places: see backstop.
//
// Each stack of a State has the counter itself as its context (see State.pushStack). A context
// derived from it, as LState.NewThread makes one, would be used instead and count nothing.
type counter struct{ state *State }

var closed = func() chan struct{} { c := make(chan struct{}); close(c); return c }()

// Done counts one instruction with its weight, and returns a closed channel when the budget is used
// up. It runs before every instruction, so it does nothing else.
func (c counter) Done() <-chan struct{} {
	b := c.state.budget
	b.steps++
	if !b.older {
		b.steps += weight(c.state.current())
	}
	if b.left() {
		return nil
	}
	return closed
}

// Err returns the error that mainLoopWithContext raises after Done returned a closed channel. It
// uses only the text of it.
func (c counter) Err() error {
	if b := c.state.budget; b.err != nil {
		return fmt.Errorf("%s", b.message())
	}
	return nil
}

func (c counter) Deadline() (time.Time, bool) { return time.Time{}, false }
func (c counter) Value(any) any               { return nil }

// What gopher-lua allocates for tables and functions, in bytes, rounded up for 64 bits.
// TestExhaustingScriptsEnd proves that scripts which use all their bytes for them really allocate
// no more than a small multiple.
const (
	tableBytes    = 128  // an empty table
	slotBytes     = 32   // a slot of the array, with its growth
	keyBytes      = 192  // a key outside the array
	fewKeysBytes  = 640  // a table that has keys at all: two maps for up to 8 of them
	firstKeyBytes = 2560 // the first one makes two maps, one of them with room for 32
	functionBytes = 128
	upvalueBytes  = 64
	registerBytes = 32 // a value among the arguments of a function, which the machine may hold twice
)
