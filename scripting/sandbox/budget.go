package sandbox

import (
	"fmt"
	"sync/atomic"
	"time"
)

// Limits bound one load or one call. Zero or less means the default.
type Limits struct {
	Instructions int64 // of the virtual machine; library functions charge their work as instructions
	Bytes        int64 // allocated in all: what is no longer in use counts too
}

// The defaults of [Config]. A load reads tables of constants and may take longer. A call runs in
// the loop of the daemon: 200,000 instructions take some 6 ms.
var (
	defaultLoad = Limits{Instructions: 5_000_000, Bytes: 64 << 20}
	defaultCall = Limits{Instructions: 200_000, Bytes: 4 << 20}
)

func (l Limits) or(d Limits) Limits {
	if l.Instructions <= 0 {
		l.Instructions = d.Instructions
	}
	if l.Bytes <= 0 {
		l.Bytes = d.Bytes
	}
	return l
}

// A budget counts what a script uses. It implements context.Context, because gopher-lua's only hook
// before each instruction is the call of Done in mainLoopWithContext (vm.go). So the limit needs no
// clock, no second goroutine, and no change of gopher-lua. A call that the host bounds by a clock
// too ends at the same places: see backstop.
//
// Two invariants make it safe:
//
//   - Once err is set it stays set until the next start. Done then returns a closed channel for
//     every instruction and charge returns false. A pcall that catches the first failure cannot run
//     another instruction; State.attempt does not even let it catch.
//   - Each stack of a State has the budget itself as its context (see State.pushStack). A context
//     derived from it, as LState.NewThread makes one, would be used instead and count nothing.
//
// The counters cannot overflow: every charge is bounded by the fixed limits of this package, and
// the script ends at the first one beyond its budget.
type budget struct {
	limits              Limits
	instructions, bytes int64         // used since start
	late                *atomic.Bool  // set from outside when the call has taken too long
	took                time.Duration // how long that is, for the message
	err                 error         // ErrInstructions, ErrBytes or ErrTime once a limit is passed
}

var closed = func() chan struct{} { c := make(chan struct{}); close(c); return c }()

func (b *budget) start(l Limits) { *b = budget{limits: l, late: &never} }

// Done counts one instruction, and returns a closed channel when the budget is used up. It runs
// before every instruction, so it does nothing else.
func (b *budget) Done() <-chan struct{} {
	b.instructions++
	if b.instructions <= b.limits.Instructions && b.err == nil && !b.late.Load() {
		return nil
	}
	b.exhaust()
	return closed
}

// charge counts work that a library function is about to do, and reports whether it may do it. The
// callers charge before they allocate.
func (b *budget) charge(instructions, bytes int64) bool {
	b.instructions += instructions
	b.bytes += bytes
	if b.instructions <= b.limits.Instructions && b.bytes <= b.limits.Bytes && b.err == nil && !b.late.Load() {
		return true
	}
	b.exhaust()
	return false
}

func (b *budget) exhaust() {
	switch {
	case b.err != nil:
	case b.bytes > b.limits.Bytes:
		b.err = ErrBytes
	case b.instructions > b.limits.Instructions:
		b.err = ErrInstructions
	default:
		b.err = ErrTime
	}
}

// message describes the limit that was passed, with advice for the author of the script.
func (b *budget) message() string {
	switch b.err {
	case ErrBytes:
		return fmt.Sprintf("the script needs more than %d KiB of memory: make fewer or smaller strings and tables", b.limits.Bytes>>10)
	case ErrTime:
		return fmt.Sprintf("the function was stopped after %v by the clock: the machine is overloaded, or the function has too much to do", b.took)
	}
	return fmt.Sprintf("the script runs for more than %d instructions: is there a loop that does not end?", b.limits.Instructions)
}

// Err returns the error that mainLoopWithContext raises after Done returned a closed channel. It
// uses only the text of it.
func (b *budget) Err() error {
	if b.err == nil {
		return nil
	}
	return fmt.Errorf("%s", b.message())
}

func (b *budget) Deadline() (time.Time, bool) { return time.Time{}, false }
func (b *budget) Value(any) any               { return nil }

// What gopher-lua allocates for tables and functions, in bytes, rounded up for 64 bits.
// TestExhaustingScriptsEnd proves that scripts which use all their bytes for them really allocate
// no more than a small multiple.
const (
	tableBytes    = 128  // an empty table
	slotBytes     = 32   // a slot of the array, with its growth
	keyBytes      = 192  // a key outside the array
	firstKeyBytes = 2560 // the first one makes two maps, one of them with room for 32
	functionBytes = 128
	upvalueBytes  = 64
	registerBytes = 32 // a value among the arguments of a function, which the machine may hold twice
)
