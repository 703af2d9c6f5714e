package knockd

import (
	"slices"
	"strings"
	"time"
)

const (
	// placeholder is what a command has where the source belongs.
	placeholder = "%IP%"
	// commandLimit is how long a command may run. knockd waits for ever.
	commandLimit = time.Minute
)

// A Run is a command of a door as a script declares it, with {source} for the
// address. With whatever status it exits, it counts as done.
type Run struct {
	Line    int // of the start command
	Argv    []string
	Undo    []string      // nil: nothing stops it
	TTL     time.Duration // until Undo
	Timeout time.Duration // of each
}

// Runs returns what a door runs: one for all addresses, one for each family, or
// nothing.
func (d *Door) Runs() []Run {
	var runs []Run
	for _, a := range d.actions() {
		run := Run{Line: a.line, Argv: shell(template(a.start)), Timeout: commandLimit}
		if a.stop != "" {
			run.Undo, run.TTL = shell(template(a.stop)), d.wait()
		}
		runs = append(runs, run)
	}
	return runs
}

// shell returns what runs a command.
func shell(command string) []string { return []string{"/bin/sh", "-c", command} }

// template returns a command as an argument of sesame.command.
func template(command string) string {
	return strings.NewReplacer("{", "{{", "}", "}}", placeholder, "{source}").Replace(command)
}

// wait returns how long it is from the start to the stop. The engine knows no
// grant that ends at once.
func (d *Door) wait() time.Duration {
	return max(time.Duration(d.CommandTimeout)*time.Second, time.Millisecond)
}

// A family is that of the address that knocked.
type family int

const (
	ipv4 family = iota
	ipv6
)

// An action is what knockd runs for a family, or for both.
type action struct {
	families    []family
	suffix      string // of the variable
	line        int    // of the start command
	start, stop string
}

// actions returns what a door runs: for both families the same, for each its own,
// for one alone, or nothing.
func (d *Door) actions() []action {
	four, six := d.action(ipv4), d.action(ipv6)
	if four.start == six.start && four.stop == six.stop {
		four.families = []family{ipv4, ipv6}
		six.start = ""
	}
	six.suffix = "_6"
	return slices.DeleteFunc([]action{four, six}, func(a action) bool { return a.start == "" })
}

// action returns what a door runs for a family. A stop command is nothing without
// a start command.
func (d *Door) action(of family) action {
	start, stop := d.commands(of)
	if start.Text == "" {
		stop.Text = ""
	}
	return action{families: []family{of}, line: start.Line, start: start.Text, stop: stop.Text}
}

// commands returns what knockd has for a family; a stop may be without start.
func (d *Door) commands(of family) (start, stop Command) {
	start, stop = d.Start, d.Stop
	if of == ipv6 && d.Start6 != nil {
		start = *d.Start6
	}
	if of == ipv6 && d.Stop6 != nil {
		stop = *d.Stop6
	}
	return start, stop
}
