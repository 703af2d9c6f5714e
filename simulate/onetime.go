package simulate

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"sesame/daemon/engine"
	"sesame/daemon/record"
	"sesame/daemon/transcript"
)

// This file tells of one-time sequences that a recording consumed and that the scripts of today do
// not accept again.

// maxUses bounds the uses that are told.
const maxUses = 100

// A use is the consumption of a one-time sequence.
type use struct {
	door       string
	source     netip.Prefix
	packet     int
	file, line string
}

// usesIn returns the uses in a recording, as its own scripts and inputs have them. It returns none
// when it cannot be replayed, since the replay through other scripts need not care.
//
// The report has the errors of a recording whose own replay did not reach its end, later uses are
// not among the returned ones then, and the files that the recording leaves out.
func usesIn(ctx context.Context, path string) ([]use, *Report) {
	reader, err := record.Open(path)
	if err != nil {
		return nil, &Report{} // the replay through other scripts has read the same file
	}
	defer reader.Close()
	w := &useWriter{}
	report, err := rerun(ctx, Config{Writer: w}, &capture{name: path, reader: reader})
	if err != nil {
		return nil, &Report{}
	}
	return w.uses, report
}

// A useWriter collects uses.
type useWriter struct{ uses []use }

// Begin, Flush and Summary do nothing.
func (w *useWriter) Begin([]string, []string)         {}
func (w *useWriter) Flush() error                     { return nil }
func (w *useWriter) Summary(transcript.Summary) error { return nil }

// Events notes the uses.
func (w *useWriter) Events(events []engine.Event) {
	for i := range events {
		e := &events[i]
		if e.Kind == engine.EventEffect && e.Effect == engine.EffectConsume && len(w.uses) < maxUses {
			w.uses = append(w.uses, use{e.Door, e.Source, e.Packet, e.File, e.Text})
		}
	}
}

// usedUp returns a line for each use after which a door of the set has no such sequence. The
// sequence itself is not told: who reads the line need not be who may knock.
//
// When the recording's own replay does not reach its end, while the other one did, the report is
// incomplete too.
func usedUp(ctx context.Context, path string, set *engine.Set, report *Report) (lines []string) {
	if !slices.ContainsFunc(set.Doors, func(d *engine.Door) bool { return d.OneTime != nil }) {
		return nil
	}
	uses, own := usesIn(ctx, path)
	if len(report.Incomplete) == 0 && len(own.Incomplete) > 0 {
		report.Incomplete = append(report.Incomplete, fmt.Errorf("one-time sequences that the recording used later are not told: %w", errors.Join(own.Incomplete...)))
	}
	for _, d := range set.Doors {
		if d.OneTime != nil && slices.Contains(own.Withheld, d.OneTime.File) {
			lines = append(lines, fmt.Sprintf("door %s: whether a one-time sequence opened it is not known, since the recording leaves out %s", transcript.Safe(d.Name), transcript.Safe(d.OneTime.File)))
		}
	}
	for _, u := range uses {
		for _, d := range set.Doors {
			if d.OneTime == nil || d.OneTime.File != u.file || d.Name != u.door {
				continue
			}
			if !slices.ContainsFunc(d.OneTime.Sequences, func(s engine.OneTimeSequence) bool { return s.Line == u.line }) {
				lines = append(lines, fmt.Sprintf("door %s: %s opened it with a one-time sequence (packet %d of the daemon). Its line in %s is used, so it does not open the door again",
					transcript.Safe(u.door), transcript.Source(u.source), u.packet, transcript.Safe(u.file)))
			}
		}
	}
	return lines
}

// recordedAlone returns the path of the recording when it is all that is replayed.
func (c *Config) recordedAlone(captures captures) string {
	if len(captures) == 1 && len(c.Captures) == 1 && captures[0].reader.Recording() && !captures.streamed() {
		return c.Captures[0]
	}
	return ""
}
