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
	w     io.Writer
	lines chan []byte // capacity 1,024
	lost  atomic.Int64
	note  Note
}

// A Note returns a line about lost lines, as the writer takes one. Next is the line after it.
type Note func(lost int64, next []byte) []byte

// Text returns a note for lines of text. It begins with the first prefix bytes of the line after
// it.
func Text(prefix int) Note {
	return func(lost int64, next []byte) []byte {
		return fmt.Appendf(nil, "%s(%d lines were lost here)\n", next[:min(prefix, len(next))], lost)
	}
}

// New returns a queue for w. Nothing is written to w before Start.
func New(w io.Writer, note Note) *Queue {
	return &Queue{w: w, lines: make(chan []byte, 1024), note: note}
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
	if lost := q.lost.Load(); lost > 0 {
		if _, err := q.w.Write(q.note(lost, line)); err != nil {
			q.lost.Add(1)
			return
		}
		q.lost.Add(-lost)
	}
	if _, err := q.w.Write(line); err != nil {
		q.lost.Add(1)
	}
}
