package control

import (
	"fmt"
	"slices"
	"strings"

	"sesame/daemon/transcript"
)

// A reason about commands names at most maxNamed of them: there may be hundreds.
const maxNamed = 5

// maxCommand bounds the characters of a command in a line.
const maxCommand = 120

// named makes one finding of a heading and lines, of which there are count.
func named(heading string, lines []string, count int) []finding {
	lines = lines[:min(len(lines), maxNamed)]
	if more := count - len(lines); more > 0 {
		lines = append(lines, fmt.Sprintf("and %d more: sesame status --json", more))
	}
	return one("", "%s:\n%s", heading, strings.Join(lines, "\n"))
}

func commandMissing(s *Status) []finding {
	if s.Scripts.UnrunnableCount == 0 {
		return nil
	}
	var lines []string
	for _, c := range s.Scripts.Unrunnable {
		what := "command " + c.Command
		if c.Undo {
			what = "the undo of command " + c.Command
		}
		lines = append(lines, fmt.Sprintf("%s:%d: %s: %s", c.File, c.Line, what, c.Problem))
	}
	return named("this machine cannot run "+transcript.Count(s.Scripts.UnrunnableCount, "command"), lines, s.Scripts.UnrunnableCount)
}

func commandFails(s *Status) []finding {
	return failedCommands(s, false, s.Effects.FailingCount, "failed at the last run")
}

func commandStatus(s *Status) []finding {
	return failedCommands(s, true, s.Effects.AnyStatusCount, "counted as done at the last run, but failed")
}

// failedCommands leaves out commands that could not be started and have a row of their own.
func failedCommands(s *Status, anyStatus bool, count int, how string) []finding {
	var lines []string
	for _, f := range s.Effects.FailingCommands {
		if f.AnyStatus != anyStatus {
			continue
		}
		if f.NotRun && slices.ContainsFunc(s.Scripts.Unrunnable, func(c Unrunnable) bool { return c.Program == f.Program && c.Undo == f.Undo }) {
			count--
			continue
		}
		what, failed := declared(&f), "failed"
		if f.Undo {
			what = "undo " + what
		}
		if f.Hung {
			failed = "hung"
		}
		lines = append(lines, fmt.Sprintf("door %s: %s %s %s, last at %s: %s", f.Door, what, failed, times(f.Count), transcript.Clock(f.At), f.Error))
	}
	if count == 0 {
		return nil
	}
	return named(transcript.Count(count, "command")+" "+how, lines, count)
}

// declared names a command so that two with the same program are told apart.
func declared(f *FailingCommand) string {
	if f.Command != f.Program || len(f.Argv) < 2 {
		return f.Command
	}
	text := []rune(transcript.Command(f.Argv))
	if len(text) > maxCommand {
		return string(text[:maxCommand]) + "..."
	}
	return string(text)
}

func commandsWaiting(s *Status) []finding {
	w := s.Effects.Waiting
	if !w.PilingUp {
		return nil
	}
	text := fmt.Sprintf("%s for those before, the first since %s", transcript.Count(w.Count, "command")+map[bool]string{true: " waits", false: " wait"}[w.Count == 1], transcript.Clock(w.Since))
	switch {
	case w.Doors == 1:
		text += ", of door " + w.Door
	case w.Doors > 1:
		text += fmt.Sprintf(", of %d doors, most of door %s (%d)", w.Doors, w.Door, w.OfDoor)
	}
	return one("", "%s", text)
}
