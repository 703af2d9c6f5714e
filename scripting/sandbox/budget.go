package sandbox

import (
	"fmt"
	"time"
)

// Limits bound one load or one call.
type Limits struct {
	Instructions int64 // of the Lua machine, and the work of library functions counted in them
	Bytes        int64 // allocated, in all; what is no longer in use counts too
}

// The limits of a Config that names none.
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

// A budget counts what a script spends. It is the context of the Lua machine, which asks Done
// before each instruction; that makes an instruction limit that needs no clock and that no script
// can catch: once it has failed it fails for ever.
type budget struct {
	limits              Limits
	instructions, bytes int64
	err                 error // why it is used up
}

var closed = func() chan struct{} { c := make(chan struct{}); close(c); return c }()

func (b *budget) start(l Limits) { *b = budget{limits: l} }

// Done counts one instruction.
func (b *budget) Done() <-chan struct{} {
	b.instructions++
	if b.instructions <= b.limits.Instructions && b.err == nil {
		return nil
	}
	b.exhaust()
	return closed
}

// charge counts work that a library function is about to do, and reports whether it may.
func (b *budget) charge(instructions, bytes int64) bool {
	b.instructions += instructions
	b.bytes += bytes
	if b.instructions <= b.limits.Instructions && b.bytes <= b.limits.Bytes && b.err == nil {
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
	default:
		b.err = ErrInstructions
	}
}

// message says what was used up, for people.
func (b *budget) message() string {
	if b.err == ErrBytes {
		return fmt.Sprintf("the script needs more than %d KiB of memory: make fewer or smaller strings and tables", b.limits.Bytes>>10)
	}
	return fmt.Sprintf("the script runs for more than %d instructions: is there a loop that does not end?", b.limits.Instructions)
}

// Err is what the Lua machine raises after Done returned a closed channel.
func (b *budget) Err() error {
	if b.err == nil {
		return nil
	}
	return fmt.Errorf("%s", b.message())
}

func (b *budget) Deadline() (time.Time, bool) { return time.Time{}, false }
func (b *budget) Value(any) any               { return nil }
