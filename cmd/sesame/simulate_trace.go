package main

import (
	"io"
	"slices"

	"sesame/daemon/transcript"
	"sesame/simulate"
	"sesame/simulate/trace"
)

// applyTrace completes the configuration of a simulation, which has its writer. The trace takes the
// place of what that writes, but of accounts and, for programs, of the events.
func (f *outputFlags) applyTrace(config *simulate.Config, out io.Writer) {
	if !f.trace {
		return
	}
	if lines, isJSON := config.Writer.(*transcript.JSON); isJSON {
		config.Trace = func(p *trace.Packet) {
			for _, line := range p.Lines() {
				lines.Line(line...)
			}
		}
		return
	}
	config.Writer = quiet{}
	config.Trace = func(p *trace.Packet) {
		// The error of the writer is that of the account behind the trace.
		_ = p.WriteText(out, unconcerned(config, p))
	}
}

// unconcerned returns the doors that a packet did not concern, in order.
func unconcerned(config *simulate.Config, p *trace.Packet) (names []string) {
	for _, d := range config.Set.Doors {
		if !slices.ContainsFunc(p.Entries, func(e trace.Entry) bool { return e.Door == d.Name }) && (config.Doors == nil || slices.Contains(config.Doors, d.Name)) {
			names = append(names, d.Name)
		}
	}
	return names
}
