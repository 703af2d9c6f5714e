package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/mattn/go-isatty"

	"sesame/daemon/terminal"
	"sesame/daemon/transcript"
)

// isTerminal reports whether w is a terminal.
func isTerminal(w io.Writer) bool {
	file, ok := w.(*os.File)
	return ok && isatty.IsTerminal(file.Fd())
}

// color decides about colours: "auto" means on terminals, unless NO_COLOR is set
// (no-color.org).
func color(when string, w io.Writer) bool {
	switch when {
	case "always":
		return true
	case "never":
		return false
	}
	return os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb" && isTerminal(w)
}

// interruptible returns a context for reading captures. It ends with the first interrupt or
// SIGTERM, which timeout and continuous integration send, and what was read so far is reported.
// The second one ends this program. When one of the captures is a stream, that begins when the
// caller calls read, after all captures: before, the first interrupt is only noted, and SIGTERM
// ends this program. The caller calls forget at the end.
func (p *program) interruptible(ctx context.Context, captures []string) (reading context.Context, read, forget func()) {
	reading, end := context.WithCancel(ctx)
	await := func() {
		interrupted, stop := signal.NotifyContext(reading, os.Interrupt, syscall.SIGTERM)
		context.AfterFunc(interrupted, func() { stop(); end() })
	}
	names := streams(captures)
	if len(names) == 0 {
		await()
		return reading, func() {}, end
	}
	stop := p.finishOnInterrupt(strings.Join(names, " and "))
	return reading, func() { stop(); await() }, func() { stop(); end() }
}

// streams names those captures, for people, whose end another program or a person decides: pipes,
// terminals and standard input.
func streams(captures []string) (names []string) {
	for _, name := range captures {
		if name == "-" {
			names = append(names, "standard input")
		} else if info, err := os.Stat(name); err == nil && !info.Mode().IsRegular() && !info.IsDir() {
			names = append(names, name)
		}
	}
	return names
}

// finishOnInterrupt ignores the first interrupt: in a pipeline it also ends the program that writes
// into the pipe, and what that wrote is still read. The second interrupt ends this program. So does
// the first one after stop.
func (p *program) finishOnInterrupt(names string) (stop func()) {
	interrupts := make(chan os.Signal, 1) // only the first matters; more are dropped
	signal.Notify(interrupts, os.Interrupt)
	stopped, end := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		select {
		case <-interrupts:
			signal.Stop(interrupts) // before it says that the next one counts
			p.note("waiting for %s to end; interrupt again to stop at once", names)
		case <-stopped.Done():
			signal.Stop(interrupts)
		}
	}()
	return func() { end(); <-ended }
}

// A progress is a bar on a terminal. It is drawn again when its percentage changes, so it
// needs no clock.
type progress struct {
	w       io.Writer
	name    string
	percent int
}

// From so many bytes, or packets of all runs, a bar is shown: what takes about a second.
const (
	worthwhile        = 16 << 20
	worthwhilePackets = 100_000
)

// draw shows that read of size bytes were read.
func (b *progress) draw(name string, read, size int64) {
	if size >= worthwhile {
		b.show(name, read, size)
	}
}

// runs returns what shows how many of some runs were made, each of which has so many packets. It is
// nil when they take no time that is worth a bar.
func (b *progress) runs(all, packets int) func(made int) {
	if all == 1 || int64(all)*int64(packets) < worthwhilePackets {
		return nil
	}
	name := transcript.Count(all, "run")
	return func(made int) { b.show(name, int64(made), int64(all)) }
}

// show draws the bar with the part that is done of a whole.
func (b *progress) show(name string, done, whole int64) {
	percent := int(min(done, whole) * 100 / whole)
	if percent == b.percent && name == b.name {
		return
	}
	b.percent, b.name = percent, name
	const width = 30
	full := percent * width / 100
	fmt.Fprintf(b.w, "\r\x1b[K%s [%-*s] %d%%", terminal.Printable(name), width, bar[:full], percent)
}

const bar = "=============================="

// clear removes the bar. It is called before other output.
func (b *progress) clear() {
	if b.name != "" {
		fmt.Fprint(b.w, "\r\x1b[K")
		b.name = ""
	}
}
