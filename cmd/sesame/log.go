//go:build linux

package main

import (
	"fmt"
	"io"
	"os"
	"syscall"

	"github.com/hashicorp/go-hclog"

	"sesame/daemon/config"
	"sesame/daemon/journald"
	"sesame/daemon/output"
)

// startLog returns the daemon's log as it is configured, and what waits for its last lines, at most
// a second. It writes through a queue to w. When the journal of systemd reads w, it writes entries
// with fields to the journal's socket instead.
func startLog(settings config.Log, w io.Writer, socket string) (log hclog.Logger, flush func()) {
	if settings.Format != "json" && toJournal(w, os.Getenv("JOURNAL_STREAM")) {
		if journal, err := journald.Open(socket, w); err == nil {
			entries := output.New(journal, journald.Lost)
			return journald.NewLogger(entries, hclog.LevelFromString(settings.Level)), entries.Start()
		}
	}
	lines := output.New(w, output.Text(0))
	return newLogger(settings, w, lines), lines.Start()
}

// newLogger returns a log that writes text or JSON to out, a queue in front of w. The format
// depends on w: the journal of systemd adds its own times, and reads the level from a prefix.
func newLogger(settings config.Log, w, out io.Writer) hclog.Logger {
	options := &hclog.LoggerOptions{
		Output:     out,
		Level:      hclog.LevelFromString(settings.Level),
		JSONFormat: settings.Format == "json",
		// The daemon raises the level of a derived logger alone, for effects that the
		// transcript on a terminal shows.
		IndependentLevels: true,
	}
	switch {
	case options.JSONFormat:
	case toJournal(w, os.Getenv("JOURNAL_STREAM")):
		options.DisableTime = true
		options.Output = forJournal(out)
	case color("auto", w):
		options.Color = hclog.ForceColor
	}
	return hclog.New(options)
}

// toJournal reports whether the journal reads w: its device and inode are those in stream, the
// value of JOURNAL_STREAM.
func toJournal(w io.Writer, stream string) bool {
	file, ok := w.(*os.File)
	if !ok || stream == "" {
		return false
	}
	info, err := file.Stat()
	if err != nil {
		return false
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	return ok && stream == fmt.Sprintf("%d:%d", stat.Dev, stat.Ino)
}

// forJournal prefixes each line with its priority, as sd-daemon(3) describes.
func forJournal(w io.Writer) io.Writer {
	debug := &prioritized{w, "<7>"}
	return hclog.NewLeveledWriter(&prioritized{w, "<6>"}, map[hclog.Level]io.Writer{
		hclog.Error: &prioritized{w, "<3>"}, hclog.Warn: &prioritized{w, "<4>"}, hclog.Debug: debug, hclog.Trace: debug,
	})
}

// A prioritized writer prefixes each write with a priority.
type prioritized struct {
	io.Writer
	prefix string
}

// Write writes the priority and b at once, so that lines of several goroutines do not mix.
func (p *prioritized) Write(b []byte) (int, error) {
	if _, err := p.Writer.Write(append([]byte(p.prefix), b...)); err != nil {
		return 0, err
	}
	return len(b), nil
}
