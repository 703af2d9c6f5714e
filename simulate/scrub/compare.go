package scrub

import (
	"bytes"
	"context"
	"fmt"
	"net/netip"

	"sesame/daemon/engine"
	"sesame/daemon/transcript"
	"sesame/simulate"
)

// A DifferentError means that the scrubbed recording would not give the same verdicts.
type DifferentError struct {
	Number       int    // of the decision, from 1
	Before, Then string // the decisions; empty: there is none
}

// Error says which decision differs.
func (e *DifferentError) Error() string {
	show := func(text string) string {
		if text == "" {
			return "nothing"
		}
		return text
	}
	return fmt.Sprintf("the verdicts would differ: decision %d was %q, and would be %q", e.Number, show(e.Before), show(e.Then))
}

// compare replays both recordings, and returns how many decisions there are, and an error unless
// each is the same.
func (s *scrubber) compare(recording, scrubbed []byte) (decisions int, err error) {
	before, err := verdicts(recording, s.prefix, s)
	if err != nil {
		return 0, fmt.Errorf("replaying the recording: %w", err)
	}
	then, err := verdicts(scrubbed, func(p netip.Prefix) netip.Prefix { return p }, nil)
	if err != nil {
		return 0, fmt.Errorf("replaying what was scrubbed: %w", err)
	}
	for i := range max(len(before), len(then)) {
		e := &DifferentError{Number: i + 1}
		if i < len(before) {
			e.Before = before[i]
		}
		if i < len(then) {
			e.Then = then[i]
		}
		if e.Before != e.Then {
			return 0, e
		}
	}
	return len(then) - 1, nil // the last line has the totals
}

// verdicts replays a recording exactly, and returns its decisions. Details are left out: they are
// texts for people that may name what was replaced.
func verdicts(recording []byte, source func(netip.Prefix) netip.Prefix, s *scrubber) ([]string, error) {
	w := &verdictWriter{source: source, scrubber: s}
	report, err := simulate.Run(context.Background(), simulate.Config{Recording: bytes.NewReader(recording), Writer: w})
	if err != nil {
		return nil, err
	}
	if len(report.Incomplete) > 0 {
		return nil, report.Incomplete[0]
	}
	return append(w.lines, fmt.Sprint(report.Packets, report.Knocks, report.Opens, report.Misses, report.Refusals, report.Errors, report.Dropped)), nil
}

// A verdictWriter makes a line of each decision.
type verdictWriter struct {
	lines    []string
	source   func(netip.Prefix) netip.Prefix
	scrubber *scrubber // replaces ports; nil: they are
}

// Begin, Flush and Summary do nothing.
func (w *verdictWriter) Begin([]string, []string)         {}
func (w *verdictWriter) Flush() error                     { return nil }
func (w *verdictWriter) Summary(transcript.Summary) error { return nil }

// Events notes the decisions.
func (w *verdictWriter) Events(events []engine.Event) {
	for i := range events {
		e := &events[i]
		source, port := e.Source, e.Port
		if source.IsValid() {
			source = w.source(source)
		}
		if w.scrubber != nil {
			port = w.scrubber.port(port)
		}
		w.lines = append(w.lines, fmt.Sprintf("%s packet %d: event %d effect %d of %s, door %s, stage %d of %d, %s, port %v, grant %d for %v",
			e.Time.Format("15:04:05.000000000"), e.Packet, e.Kind, e.Effect, source, e.Door, e.Stage, e.Stages, e.Reason, port, e.Grant, e.TTL))
	}
}
