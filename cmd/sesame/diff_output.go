package main

import (
	"io"
	"path/filepath"
	"strings"
	"time"

	"sesame/daemon/terminal"
	"sesame/daemon/transcript"
	"sesame/simulate"
	"sesame/simulate/compare"
)

// diffed is the result of sesame diff, as it is written as JSON.
type diffed struct {
	Old     string `json:"old"`
	New     string `json:"new"`
	Packets string `json:"packets,omitempty"` // where they are from; left out without packets
	Same    bool   `json:"same"`
	*compare.Report

	page *diffPage // nil: nobody wants one
}

// printDiff prints a comparison, and sets the exit status.
func (p *program) printDiff(f *diffFlags, d *diffed) error {
	if !d.Same {
		p.status = answerNo
	}
	p.judgeReplays(d.Replays)
	if f.format == "json" {
		return p.writeJSON(d)
	}
	var b strings.Builder
	head := compare.Heading{Old: d.Old, New: d.New, Packets: d.Packets}
	if f.format == "markdown" { // it has printable texts, and characters without a width
		d.WriteMarkdown(&b, head, f.only)
		_, err := io.WriteString(p.stdout, b.String())
		return err
	}
	d.WriteText(&b, head, f.only)
	_, err := p.stdout.Write([]byte(terminal.Printable(b.String())))
	return err
}

// judgeReplays warns of what is wrong with the packets, and sets the exit status when not all of
// them could be read. An error of a script is a part of the result.
func (p *program) judgeReplays(replays [2]*simulate.Report) {
	r := replays[1]
	if r == nil {
		return
	}
	status := p.status
	p.judge(r)
	if p.status != couldNot {
		p.status = status
	}
}

// captureNames names captures for people.
func captureNames(captures []string) string {
	if len(captures) > 3 {
		return transcript.Count(len(captures), "capture")
	}
	names := make([]string, len(captures))
	for i, path := range captures {
		names[i] = filepath.Base(path)
	}
	return transcript.Safe(strings.Join(names, ", "))
}

// formatMoment formats a time as UTC, to the second.
func formatMoment(t time.Time) string { return transcript.Clock(t) }
