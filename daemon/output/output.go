// Package output turns lines from goroutines that must not wait into writes to a
// writer that may block, such as a stopped terminal or a pipe that nobody reads.
package output

import (
	"context"
	"fmt"
	"io"
	"sync/atomic"
	"time"
)

// A Queue holds up to 1,024 lines for a writer. When it is full, further lines are
// lost. The next line that fits is preceded by one that gives the number of lost
// lines.
type Queue struct {
	w      io.Writer
	lines  chan []byte // capacity 1,024
	lost   atomic.Int64
	prefix int // bytes at the head of each line that the line about lost ones repeats
}

// New returns a queue for w. The line about lost lines begins with the first prefix
// bytes of the line after it. Nothing is written to w before Start.
func New(w io.Writer, prefix int) *Queue {
	return &Queue{w: w, lines: make(chan []byte, 1024), prefix: prefix}
}

// Write queues a copy of b, which is one line. It never fails and never waits, and
// may be called from any goroutine.
func (q *Queue) Write(b []byte) (int, error) {
	select {
	case q.lines <- append([]byte(nil), b...):
	default:
		q.lost.Add(1)
	}
	return len(b), nil
}

// Lost returns how many lines are lost and not reported yet.
func (q *Queue) Lost() int64 { return q.lost.Load() }

// Start writes lines in a goroutine of its own, until flush is called. flush waits
// until all queued lines are written, but at most a second: a stopped terminal must
// not keep the program from ending.
func (q *Queue) Start() (flush func()) {
	ctx, stop := context.WithCancel(context.Background())
	done, finish := context.WithCancel(context.Background())
	go func() {
		defer finish()
		q.run(ctx)
	}()
	return func() {
		stop()
		limit, release := context.WithTimeout(done, time.Second)
		defer release()
		<-limit.Done()
	}
}

// run writes lines until ctx ends, and then those that are still queued.
func (q *Queue) run(ctx context.Context) {
	for {
		select {
		case line := <-q.lines:
			q.write(line)
		case <-ctx.Done():
			for len(q.lines) > 0 {
				q.write(<-q.lines)
			}
			return
		}
	}
}

// write writes a line, and before it how many were lost. A line that the writer
// refuses is lost too: a disk may be full for a moment, so the next one is tried.
func (q *Queue) write(line []byte) {
	lost := q.lost.Load()
	text := line
	if lost > 0 {
		text = fmt.Appendf(nil, "%s(%d lines were lost here)\n%s", line[:min(q.prefix, len(line))], lost, line)
	}
	if _, err := q.w.Write(text); err != nil {
		q.lost.Add(1)
		return
	}
	q.lost.Add(-lost)
}
