package main

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"sesame/scripting/spec"
	"sesame/scripting/zone"
	"sesame/simulate"
	"sesame/simulate/opening"
)

// typedFlags are the flags of sesame simulate for knocks without a capture, and for the time at
// which a simulation begins.
type typedFlags struct {
	texts []string
	lines []opening.Line // of texts
	at    string
	begin time.Time // of at; zero: as the captures have it
}

func (f *typedFlags) add(c *cobra.Command) {
	c.Flags().StringArrayVar(&f.texts, "knock", nil, `in place of captures: a source and what it sends, such as "203.0.113.9 tcp/7421 200ms udp/9133" or "203.0.113.9 ssh"; may be given again`)
	c.Flags().StringVar(&f.at, "at", "", `when the first packet comes, such as "2026-11-23 09:00 Europe/Madrid" (default: as the capture has it)`)
}

// checkInput checks that there are captures or knocks, and not both.
func (f *typedFlags) checkInput(c *cobra.Command, captures []string) error {
	switch {
	case len(f.texts) > 0 && len(captures) > 0:
		return &usageError{c, "--knock takes the place of captures: leave one of them out"}
	case len(f.texts) == 0 && len(captures) == 0:
		return &usageError{c, `which capture? Name a pcap or pcapng file, or - for standard input; or say who knocks with --knock "203.0.113.9 tcp/7421 udp/9133"`}
	}
	return nil
}

// check reads the flags.
func (f *typedFlags) check(c *cobra.Command) (err error) {
	for _, text := range f.texts {
		line, err := opening.ParseLine(text)
		if err != nil {
			return &usageError{c, fmt.Sprintf("--knock %q: %v", text, err)}
		}
		f.lines = append(f.lines, line)
	}
	if c.Flags().Changed("at") {
		if f.begin, err = spec.ParseTime(f.at, builtInZone); err != nil {
			return &usageError{c, fmt.Sprintf("--at: %v", err)}
		}
	}
	return nil
}

// builtInZone returns a time zone from the data in the program, so that a simulation is the same on
// every machine.
func builtInZone(name string) (*time.Location, error) {
	if err := zone.Check(name); err != nil {
		return nil, err
	}
	file, err := zone.BuiltIn(name)
	if err != nil {
		return nil, zone.Unknown(name)
	}
	return zone.Load(name, file)
}

// apply completes the configuration of a simulation, which has its scripts if there are knocks.
func (f *typedFlags) apply(c *cobra.Command, config *simulate.Config) error {
	if len(f.lines) == 0 {
		config.At = f.begin
		return nil
	}
	begin := f.begin
	if begin.IsZero() {
		begin = spec.Begin
	}
	file, err := opening.Type(c.Context(), f.lines, simulate.SessionConfig{Set: config.Set, Local: config.Local, Facts: config.Facts}, begin)
	if err != nil {
		return &usageError{c, fmt.Sprintf("--knock %v", err)}
	}
	config.Knocks = file.PCAPNG()
	return nil
}
