// Package journald turns lines of the log into entries of the systemd journal, with a field for
// each key, so that people can ask it for a door or a source: journalctl DOOR=ssh.
package journald

import (
	"bytes"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/hashicorp/go-hclog"

	"sesame/daemon/terminal"
)

// identifier is what the entries have as their program.
const identifier = "sesame"

// NewLogger returns a log that writes each of its lines, from this level on, as one entry with one
// Write to out.
func NewLogger(out io.Writer, level hclog.Level) hclog.Logger {
	log := hclog.NewInterceptLogger(&hclog.LoggerOptions{Level: level, Output: io.Discard, IndependentLevels: true})
	s := &sink{out: out, level: level}
	s.text = hclog.NewSinkAdapter(&hclog.LoggerOptions{Level: hclog.Trace, DisableTime: true, Output: &s.line})
	log.RegisterSink(s)
	return log
}

// A sink makes entries. Its logger calls it for one line at a time.
type sink struct {
	out   io.Writer
	level hclog.Level
	text  hclog.SinkAdapter // writes to line
	line  bytes.Buffer
}

// Accept implements [hclog.SinkAdapter].
func (s *sink) Accept(name string, level hclog.Level, message string, pairs ...any) {
	if level < s.level {
		return
	}
	s.line.Reset()
	s.text.Accept(name, level, message, pairs...)
	fields := []Field{
		{"PRIORITY", strconv.Itoa(priority(level))}, {"SYSLOG_IDENTIFIER", identifier}, {"MESSAGE", strings.TrimRight(s.line.String(), " \n")},
	}
	if event := eventOf(message); event != "" {
		fields = append(fields, Field{"EVENT", event})
	}
	for i := 0; i+1 < len(pairs); i += 2 {
		key, _ := pairs[i].(string)
		if text := valueText(pairs[i+1]); key != "" && text != "" { // what a person gives has no door
			fields = append(fields, Field{fieldName(key), text})
		}
	}
	_, _ = s.out.Write(encode(fields)) // into a queue, which never fails
}

func encode(fields []Field) (entry []byte) {
	for _, f := range fields {
		entry = appendField(entry, f)
	}
	return entry
}

// valueText returns a value of the log as a field has it: what strangers wrote does nothing to a
// terminal.
func valueText(value any) string {
	if list, ok := value.([]string); ok {
		value = strings.Join(list, ", ")
	}
	return terminal.Printable(fmt.Sprint(value))
}

// priority returns the priority of a level, as syslog(3) numbers them.
func priority(level hclog.Level) int {
	switch level {
	case hclog.Error:
		return 3
	case hclog.Warn:
		return 4
	case hclog.Trace, hclog.Debug:
		return 7
	case hclog.NoLevel, hclog.Info, hclog.Off:
	}
	return 6
}

// Lost is an entry about lost ones, an [sesame/daemon/output.Note].
func Lost(lost int64, _ []byte) []byte {
	return encode([]Field{
		{"PRIORITY", strconv.Itoa(priority(hclog.Warn))}, {"SYSLOG_IDENTIFIER", identifier},
		{"MESSAGE", fmt.Sprintf("(%d lines were lost here)", lost)}, {fieldName("lost"), strconv.FormatInt(lost, 10)},
	})
}
