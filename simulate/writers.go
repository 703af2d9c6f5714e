package simulate

import (
	"errors"

	"sesame/daemon/engine"
	"sesame/daemon/transcript"
)

// Writers are a [Writer] that gives everything to several.
type Writers []Writer

// Begin begins each.
func (all Writers) Begin(doors, captures []string) {
	for _, w := range all {
		w.Begin(doors, captures)
	}
}

// Events gives each the events.
func (all Writers) Events(events []engine.Event) {
	for _, w := range all {
		w.Events(events)
	}
}

// Flush flushes each, and returns their errors.
func (all Writers) Flush() error {
	var failed []error
	for _, w := range all {
		failed = append(failed, w.Flush())
	}
	return errors.Join(failed...)
}

// Summary gives each the totals, and returns their errors.
func (all Writers) Summary(s transcript.Summary) error {
	var failed []error
	for _, w := range all {
		failed = append(failed, w.Summary(s))
	}
	return errors.Join(failed...)
}
