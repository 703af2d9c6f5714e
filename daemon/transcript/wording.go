package transcript

import (
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"sesame/daemon/engine"
)

// Because returns a refusal's reason for people. The text of a condition explains more than that it
// was a condition.
func Because(reason engine.Reason, detail string) string {
	switch {
	case detail == "":
		return words(string(reason))
	case reason == engine.When:
		return Safe(detail)
	}
	return words(string(reason)) + ": " + Safe(detail)
}

// Fault returns an error of a script for people: "ssh.lua:14: what".
func Fault(e *engine.Event) string {
	return Safe((&engine.Fault{Script: e.Script, Line: e.Line, Detail: e.Detail}).Error())
}

// Command returns an argv for people, with arguments quoted where they need it. It is for
// reading, not for a shell.
func Command(argv []string) string {
	quoted := make([]string, len(argv))
	for i, arg := range argv {
		quoted[i] = arg
		if arg == "" || strings.ContainsAny(arg, " \"'\\") || !printable(arg) {
			quoted[i] = strconv.Quote(arg)
		}
	}
	return strings.Join(quoted, " ")
}

// Safe returns s unchanged when every character of it can be shown, else
// quoted, so that no text can move a terminal's cursor or pose as another line.
func Safe(s string) string {
	if printable(s) {
		return s
	}
	return strconv.Quote(s)
}

func printable(s string) bool {
	return utf8.ValidString(s) && strings.IndexFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) < 0
}

// Clock returns a wall-clock time as UTC, to the second.
func Clock(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") }

// Rounded returns a duration for people, in whole seconds from one second on.
func Rounded(d time.Duration) string {
	if d.Abs() >= time.Second {
		d = d.Round(time.Second)
	}
	return Duration(d.Round(time.Millisecond))
}

// Count returns "1 packet", "12,345 packets", "2 misses".
func Count(n int, noun string) string {
	switch {
	case n == 1:
		return "1 " + noun
	case strings.HasSuffix(noun, "s"):
		return Number(n) + " " + noun + "es"
	}
	return Number(n) + " " + noun + "s"
}

// Number returns n with a comma between thousands.
func Number(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

func words(name string) string { return strings.ReplaceAll(name, "_", " ") }

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}
