package daemon

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"time"

	"github.com/hashicorp/go-hclog"

	"sesame/daemon/config"
	"sesame/daemon/engine"
	"sesame/daemon/transcript"
)

// A knockdLog writes the lines that knockd would write, for programs that read its
// log: to a file, to the system's log, to both or to neither. What it is told comes
// from the loop, which it never holds up.
type knockdLog struct {
	sinks []knockdSink
	file  *logFile // nil: none
	log   hclog.Logger
}

// A knockdSink is one place that lines go to.
type knockdSink struct {
	lines  *transcript.Knockd // the loop's
	out    *Output
	opened io.Closer
	isFile bool
}

// openKnockdLog opens what settings ask for. Where the system's log is, socket
// says. Wall turns engine time into what lines show.
func openKnockdLog(settings config.Log, socket string, wall func(time.Time) time.Time, log hclog.Logger) (*knockdLog, error) {
	k := &knockdLog{log: log}
	if settings.Knockd.Text != "" {
		file, err := openLogFile(settings.Knockd.Text, log)
		if err != nil {
			return nil, unopened(settings.Knockd, err)
		}
		k.file = file
		k.add(file, transcript.KnockdOptions{Wall: wall}, true)
	}
	if settings.KnockdSyslog {
		k.add(&systemLog{socket: socket, log: log}, transcript.KnockdOptions{Wall: wall, Syslog: true}, false)
	}
	return k, nil
}

func (k *knockdLog) add(w io.WriteCloser, options transcript.KnockdOptions, isFile bool) {
	out := NewOutput(w)
	lines := transcript.NewKnockd(lineByLine{out}, options)
	out.head = lines.Head()
	k.sinks = append(k.sinks, knockdSink{lines, out, w, isFile})
}

// start lets lines out, until flush.
func (k *knockdLog) start() (flush func()) {
	var flushes []func()
	for _, s := range k.sinks {
		flushes = append(flushes, s.out.Start())
	}
	return func() {
		for _, flush := range flushes {
			flush()
		}
	}
}

func (k *knockdLog) close() error {
	var errs []error
	for _, s := range k.sinks {
		errs = append(errs, s.opened.Close())
	}
	return errors.Join(errs...)
}

// events tells events, which stay the engine's. It is for the loop, as say is.
func (k *knockdLog) events(events []engine.Event) {
	for _, s := range k.sinks {
		s.lines.Events(events)
		_ = s.lines.Flush() // into an Output, which never fails
	}
}

// say tells what the daemon does, at engine time.
func (k *knockdLog) say(at time.Time, message string) {
	for _, s := range k.sinks {
		s.lines.Say(at, message)
		_ = s.lines.Flush()
	}
}

// sayStart is the first line, as of a daemon that hears interfaces; nil: all.
func (k *knockdLog) sayStart(at time.Time, interfaces []string) {
	if interfaces == nil {
		interfaces = []string{"any"}
	}
	k.say(at, "starting up, listening on "+strings.Join(interfaces, ","))
}

// sayReread says that a person wants files to be read again, and the log file to
// be opened anew. The file itself is not told the latter: knockd's has been shut.
func (k *knockdLog) sayReread(at time.Time, path string) {
	k.say(at, "re-reading config file: "+path)
	for _, s := range k.sinks {
		if k.file != nil && !s.isFile {
			s.lines.Say(at, "re-opening log file: "+k.file.path)
			_ = s.lines.Flush()
		}
	}
}

// reopen follows the log file to where it is now. It may be called at any time,
// from any goroutine.
func (k *knockdLog) reopen() {
	if k.file == nil {
		return
	}
	if err := k.file.reopen(); err != nil {
		k.log.Warn("the log file with knockd's lines could not be opened anew: they still go to the old one", "error", err)
	}
}

// lineByLine hands each line on alone, so that those that are lost can be counted.
type lineByLine struct{ io.Writer }

func (w lineByLine) Write(b []byte) (int, error) {
	for line := range bytes.Lines(b) {
		if _, err := w.Writer.Write(line); err != nil {
			return 0, err
		}
	}
	return len(b), nil
}
