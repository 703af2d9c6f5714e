// Package knockdlog turns the engine's events into the lines that knockd writes, for
// programs that read knockd's log: in a file, in the system's log, in both or in
// neither.
package knockdlog

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"time"

	"github.com/hashicorp/go-hclog"

	"sesame/daemon/config"
	"sesame/daemon/engine"
	"sesame/daemon/logfile"
	"sesame/daemon/output"
	"sesame/daemon/transcript"
)

// A Log writes lines to each of its sinks. Its methods never wait for a sink: lines
// that a slow one has no room for are lost and counted. Only Reopen may be called
// from any goroutine; the others belong to the goroutine of the daemon's loop.
type Log struct {
	sinks  []sink
	file   *logfile.File // nil: none
	system *systemLog    // nil: none
	log    hclog.Logger
}

// A sink is one place that lines go to.
type sink struct {
	lines  *transcript.Knockd
	out    *output.Queue
	closer io.Closer
	isFile bool
}

// Open opens the sinks that settings request. The system's log listens at socket,
// see [SystemSocket]. Wall turns engine time into the local time that lines show.
func Open(settings config.Log, socket string, wall func(time.Time) time.Time, log hclog.Logger) (*Log, error) {
	l := &Log{log: log}
	if settings.Knockd.Text != "" {
		file, err := openFile(settings.Knockd.Text, log)
		if err != nil {
			return nil, openError(settings.Knockd, err)
		}
		l.file = file
		l.add(file, transcript.KnockdOptions{Wall: wall}, true)
	}
	if settings.KnockdSyslog {
		l.system = &systemLog{socket: socket, log: log}
		l.add(l.system, transcript.KnockdOptions{Wall: wall, Syslog: true}, false)
	}
	return l, nil
}

func (l *Log) add(w io.WriteCloser, options transcript.KnockdOptions, isFile bool) {
	writer := &lineWriter{}
	lines := transcript.NewKnockd(writer, options)
	writer.Queue = output.New(w, output.Text(lines.Head()))
	l.sinks = append(l.sinks, sink{lines, writer.Queue, w, isFile})
}

// Start starts one goroutine for each sink. flush ends them when the queued lines
// are written, after at most a second for each.
func (l *Log) Start() (flush func()) {
	var flushes []func()
	for _, s := range l.sinks {
		flushes = append(flushes, s.out.Start())
	}
	return func() {
		for _, flush := range flushes {
			flush()
		}
	}
}

// Close closes all sinks. It is called after flush.
func (l *Log) Close() error {
	var errs []error
	for _, s := range l.sinks {
		errs = append(errs, s.closer.Close())
	}
	return errors.Join(errs...)
}

// Events writes the lines of events, which stay the engine's: it stores none.
func (l *Log) Events(events []engine.Event) {
	for _, s := range l.sinks {
		s.lines.Events(events)
		_ = s.lines.Flush() // into a queue, which never fails
	}
}

// Message writes a line about the daemon itself, at engine time.
func (l *Log) Message(at time.Time, message string) {
	for _, s := range l.sinks {
		s.lines.WriteLine(at, message)
		_ = s.lines.Flush()
	}
}

// Started writes knockd's first line. Without interfaces the daemon listens on all
// of them.
func (l *Log) Started(at time.Time, interfaces []string) {
	if interfaces == nil {
		interfaces = []string{"any"}
	}
	l.Message(at, "starting up, listening on "+strings.Join(interfaces, ","))
}

// Rereading writes knockd's lines about a SIGHUP: it reads its files again and opens
// the log file again. knockd writes the second line to the system's log alone, since
// its log file is closed at that moment.
func (l *Log) Rereading(at time.Time, path string) {
	l.Message(at, "re-reading config file: "+path)
	for _, s := range l.sinks {
		if l.file != nil && !s.isFile {
			s.lines.WriteLine(at, "re-opening log file: "+l.file.Path())
			_ = s.lines.Flush()
		}
	}
}

// Reopen opens the path of the log file again, which a program such as logrotate has
// moved. It may be called at any time and from any goroutine.
func (l *Log) Reopen() {
	if l.file == nil {
		return
	}
	if err := l.file.Reopen(); err != nil {
		l.log.Warn("the log file with knockd's lines could not be opened anew: they still go to the old one", "error", err)
	}
}

// Failure returns why the last line could not be written, or the file not be opened anew; empty:
// all is well. It may be called from any goroutine.
func (l *Log) Failure() string {
	file, system := "", ""
	if l.file != nil {
		file = l.file.Failure()
	}
	if l.system != nil {
		system = l.system.lost.String()
	}
	return logfile.Joined(file, system)
}

// A lineWriter queues each line alone, so that lost ones can be counted.
type lineWriter struct{ *output.Queue }

func (w *lineWriter) Write(b []byte) (int, error) {
	for line := range bytes.Lines(b) {
		if _, err := w.Queue.Write(line); err != nil {
			return 0, err
		}
	}
	return len(b), nil
}
