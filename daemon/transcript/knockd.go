package transcript

import (
	"io"
	"strconv"
	"time"
	"unicode"
	"unicode/utf8"

	"sesame/daemon/engine"
)

// KnockdOptions describe the reader of the lines.
type KnockdOptions struct {
	// Wall returns what the clock on the wall showed at the time of an event, in the zone of
	// the lines. Nil leaves the time as it is, in UTC.
	Wall func(time.Time) time.Time
	// Syslog begins each line as syslog(3) of libc does, for the facility daemon, the priority
	// notice and the name knockd. This is what the system's log takes. Else lines begin as
	// those of knockd's log file.
	Syslog bool
}

// A Knockd writes the lines that knockd writes, for programs that read its log: those of
// stages, openings, timeouts and commands. Events that knockd has no line for are left out. So
// are those of observed doors, for which nothing runs.
//
// One event makes at most one line. Characters that cannot be shown are escaped, and a message
// is cut where knockd cuts it.
type Knockd struct {
	out  output
	opts KnockdOptions
}

// NewKnockd returns a writer to w.
func NewKnockd(w io.Writer, opts KnockdOptions) *Knockd {
	return &Knockd{out: output{w: w}, opts: opts}
}

// Begin writes nothing: knockd's log has no version.
func (k *Knockd) Begin(_, _ []string) {}

// Events writes a line for each event that knockd has one for.
func (k *Knockd) Events(events []engine.Event) {
	for i := range events {
		e := &events[i]
		if message := knockdMessage(e); message != "" {
			k.WriteLine(e.Time, message)
		}
	}
	k.out.flushIfLarge()
}

// WriteLine writes a line that belongs to no event, such as one about the program.
func (k *Knockd) WriteLine(at time.Time, message string) {
	const most = 1023 // bytes of a message, as of knockd's
	at = at.UTC()
	if k.opts.Wall != nil {
		at = k.opts.Wall(at)
	}
	k.out.buf = k.appendHead(k.out.buf, at)
	begin := len(k.out.buf)
	k.out.buf = appendShown(k.out.buf, message)
	if end := begin + most; len(k.out.buf) > end {
		for !utf8.RuneStart(k.out.buf[end]) {
			end--
		}
		k.out.buf = k.out.buf[:end]
	}
	k.out.buf = append(k.out.buf, '\n')
}

// Flush writes the buffered bytes, for a reader who follows. It returns the first error of the
// underlying writer, as Summary does.
func (k *Knockd) Flush() error { return k.out.flush() }

// Summary writes no line, only the buffered ones: knockd's log has no end.
func (k *Knockd) Summary(Summary) error { return k.out.flush() }

// Head returns how many bytes precede the message in each line.
func (k *Knockd) Head() int { return len(k.appendHead(nil, time.Time{})) }

func (k *Knockd) appendHead(buf []byte, at time.Time) []byte {
	if k.opts.Syslog {
		// Facility 3, severity 5 (RFC 3164, section 4.1.1). It is what Debian's knockd
		// says, and so where its readers look; knockd as its author left it says 1, a user.
		const daemonNotice = "<29>"
		buf = at.AppendFormat(append(buf, daemonNotice...), time.Stamp)
		return append(buf, " knockd: "...)
	}
	return at.AppendFormat(buf, "[2006-01-02 15:04] ")
}

// knockdMessage returns knockd's line for an event, and "" for none. Knockd also has a line for
// a first stage that timed out. Here that is no event, so the line is missing.
func knockdMessage(e *engine.Event) string {
	who := Source(e.Source) + ": " + e.Door + ": "
	switch e.Kind {
	case engine.EventStage:
		return who + "Stage " + strconv.Itoa(e.Stage)
	case engine.EventOpen:
		return who + "OPEN SESAME"
	case engine.EventMiss:
		if e.Reason == engine.TotalTimeout || e.Reason == engine.StepTimeout {
			return who + "sequence timeout (stage " + strconv.Itoa(e.Stage) + ")"
		}
	case engine.EventEffect:
		return knockdEffect(e)
	case engine.EventClose:
		// A grant without a port is a command's, and without an end the last of it:
		// its undo follows.
		if e.Reason == engine.Expired && e.Port.Proto == 0 && e.Until.IsZero() && !e.Observed {
			return who + "command timeout"
		}
	case engine.EventFailed:
		switch {
		case e.Effect == engine.EffectCommentOut: // knockd disables the door then, and we do not
			return "error while disabling used one time sequence for door " + e.Door
		case e.Ran && e.Status > 0:
			return e.Door + ": command returned non-zero status code (" + strconv.Itoa(e.Status) + ")"
		}
	case engine.EventRefuse, engine.EventError: // knockd has no line for these
	}
	return ""
}

// knockdEffect returns the line of an effect: knockd has one for a command that runs, and
// one for a file of one-time sequences that is used up.
func knockdEffect(e *engine.Event) string {
	if e.Argv != nil && !e.Observed {
		return e.Door + ": running command: " + shellCommand(e.Argv)
	}
	if e.Effect == engine.EffectLog && e.File != "" {
		return "no more sequences left in the one time sequences file for door " + e.Door + " --> disabling the door"
	}
	return ""
}

// shellCommand returns a command as knockd.conf has it: the text that the shell gets. A command
// that runs without a shell is written so that it can be read.
func shellCommand(argv []string) string {
	if len(argv) == 3 && argv[0] == "/bin/sh" && argv[1] == "-c" {
		return argv[2]
	}
	return Command(argv)
}

// appendShown appends s with each character that cannot be shown escaped as in a Go string.
// Others stay as they are, backslashes too: commands are full of them, and programs that read
// the log expect knockd's own text.
func appendShown(buf []byte, s string) []byte {
	for len(s) > 0 {
		r, size := utf8.DecodeRuneInString(s)
		switch {
		case r == utf8.RuneError && size == 1:
			buf = append(buf, `\x`+strconv.FormatUint(uint64(s[0]), 16)...) // no such byte is below 0x80
		case unicode.IsPrint(r):
			buf = append(buf, s[:size]...)
		default:
			quoted := strconv.QuoteRune(r)
			buf = append(buf, quoted[1:len(quoted)-1]...)
		}
		s = s[size:]
	}
	return buf
}
