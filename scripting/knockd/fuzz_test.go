package knockd

import (
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"sesame/daemon/engine"
)

// FuzzParse reads anything as a knockd.conf and as a file of one-time sequences.
// Either an error names a line, or the doors keep what is promised of them.
func FuzzParse(f *testing.F) {
	for _, text := range corpus {
		f.Add([]byte(text))
	}
	f.Add([]byte("[a]\none_time_sequences=x\n[a]\nsequence=1,2\ncommand=%IP%\nstop_command_6=%ip%\ntarget=::1\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		if len(text) > 1<<16 {
			t.Skip("larger than any knockd.conf")
		}
		unused, warnings := Unused(text)
		for _, s := range unused {
			if s.Text == "" || s.Text[0] == '#' || len(s.Ports) == 0 || len(s.Ports) > maxKnocks {
				t.Errorf("a sequence is %+v", s)
			}
		}
		checkWarnings(t, text, warnings)
		file, err := Parse("knockd.conf", text)
		if err != nil {
			problem, ok := errors.AsType[*SyntaxError](err)
			if !ok || problem.Line < 1 || problem.Line > lineCount(text) || file != nil || !shows(problem.Message) {
				t.Errorf("error %q with %v", err, file)
			}
			return
		}
		checkWarnings(t, text, file.Warnings)
		names := map[string]bool{}
		for _, d := range file.Doors {
			switch {
			case names[d.Name], d.Name == "", len(d.Name) > maxName, !utf8.ValidString(d.Name), strings.ContainsFunc(d.Name, unicode.IsControl):
				t.Errorf("the name %q: expected plain text, and one for each door", d.Name)
			case len(d.Sequence) > maxKnocks, len(d.Sequence) == 0 && d.OneTime == "":
				t.Errorf("%s has %d knocks", d.Name, len(d.Sequence))
			case d.Flags.Set&d.Flags.Clear != 0:
				t.Errorf("%s has flags %v", d.Name, d.Flags)
			case d.Unreachable && d.Target.IsValid():
				t.Errorf("%s is unreachable, and its target is %v", d.Name, d.Target)
			}
			names[d.Name] = true
		}
		judgeDoors(t, file, text)
	})
}

func lineCount(text []byte) (count int) {
	for number := range lines(text) {
		count = number
	}
	return count
}

// shows reports whether a terminal shows text as it is.
func shows(text string) bool {
	return text != "" && utf8.ValidString(text) && !strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) })
}

func checkWarnings(t *testing.T, text []byte, warnings []Warning) {
	last := max(lineCount(text), 1) // an empty file has a first line
	for _, warning := range warnings {
		if warning.Line < 1 || warning.Line > last || !shows(warning.Text) {
			t.Errorf("a warning of a file with %d lines is %+v", last, warning)
		}
	}
	if !slices.IsSortedFunc(warnings, func(a, b Warning) int { return a.Line - b.Line }) {
		t.Errorf("the warnings are not by line: %v", warnings)
	}
}

func judgeDoors(t *testing.T, file *File, text []byte) {
	doors, err := file.EngineDoors("a.lua", func(string) ([]byte, error) { return text, nil })
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range doors {
		if d.Policy != engine.PolicyKnockd || d.Group != file.Path || d.Within < 0 || d.TTL < time.Millisecond || (d.Handler != nil) != (d.Hooks == engine.HookOpen) {
			t.Errorf("a door of the engine is %+v", d)
		}
		if len(d.Sequence) == 0 && d.OneTime == nil {
			t.Errorf("%s has no knocks", d.Name)
		}
		if d.Handler == nil {
			continue
		}
		for _, source := range []string{"203.0.113.9", "2001:db8::9"} {
			reply, err := d.Handler.Handle(&engine.Call{Source: netip.MustParseAddr(source)})
			if err != nil || reply.Refused || len(reply.Operations) > 1 {
				t.Errorf("%s answers %+v, %v", d.Name, reply, err)
			}
			for _, o := range reply.Operations {
				run := o.(engine.Exec)
				if len(run.Argv) != 3 || run.Argv[2] == "" || run.Timeout <= 0 || (run.Undo != nil) != (run.TTL > 0) || strings.Contains(run.Argv[2], placeholder) {
					t.Errorf("%s runs %+v", d.Name, run)
				}
			}
		}
	}
}
