package daemon

import (
	"context"
	"fmt"
	"io"
	"sync/atomic"
	"time"
)

// An Output hands lines on to a writer that may block: a terminal that somebody
// has stopped, a pipe that nobody reads. Whoever writes to it never waits. Lines
// that do not fit are lost, and their number is told when there is room again.
type Output struct {
	w     io.Writer
	lines chan []byte // capacity 1,024
	lost  atomic.Int64
	head  int // bytes that each line begins with, and what is told of lost ones too
}

// NewOutput returns an Output for w. Nothing reaches w before Run.
func NewOutput(w io.Writer) *Output {
	return &Output{w: w, lines: make(chan []byte, 1024)}
}

// Write takes a copy of b. It never fails and never waits.
func (o *Output) Write(b []byte) (int, error) {
	select {
	case o.lines <- append([]byte(nil), b...):
	default:
		o.lost.Add(1)
	}
	return len(b), nil
}

// Run hands lines on until ctx ends, and then those that are left. A line that the
// writer does not take is lost, as on a disk that is full for a moment; the last
// error is returned.
func (o *Output) Run(ctx context.Context) (failed error) {
	for {
		select {
		case line := <-o.lines:
			failed = o.hand(line)
		case <-ctx.Done():
			for len(o.lines) > 0 {
				failed = o.hand(<-o.lines)
			}
			return failed
		}
	}
}

// Start runs it in a goroutine. Flush ends that, and waits until all was handed
// on, but no longer than a second: a terminal that somebody has stopped must not
// keep the program.
func (o *Output) Start() (flush func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done, over := context.WithCancel(context.Background())
	go func() {
		defer over()
		_ = o.Run(ctx) // nobody is left to be told that nobody listens
	}()
	return func() {
		cancel()
		wait(done, time.Second)
	}
}

func (o *Output) hand(line []byte) error {
	lost := o.lost.Load()
	told := line
	if lost > 0 {
		told = fmt.Appendf(nil, "%s(%d lines were lost here)\n%s", line[:min(o.head, len(line))], lost, line)
	}
	if _, err := o.w.Write(told); err != nil {
		o.lost.Add(1)
		return err
	}
	o.lost.Add(-lost)
	return nil
}
