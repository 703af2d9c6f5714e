package knockd

import (
	"slices"
	"strings"
	"time"
)

const (
	// placeholder represents in a command the address of the source: knockd(1), Start_Command.
	placeholder = "%IP%"
	// commandLimit is how long a command may run. knockd has no limit; here a command that hangs
	// would take one of the places for running commands for ever.
	commandLimit = time.Minute
)

// A Run is a command of a door as a script declares it, with {source} in the place of the address.
// It counts as done whatever its exit status is, as in knockd.
type Run struct {
	Line    int // of the start command
	Argv    []string
	Undo    []string      // nil: nothing stops it
	TTL     time.Duration // until Undo
	Timeout time.Duration // of each
}

// Runs returns what a door runs: one Run for both address families, one for each, one for one of
// them, or nothing.
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

// shell returns the argument list that runs a command as system(3) does, which knockd uses.
func shell(command string) []string { return []string{"/bin/sh", "-c", command} }

// template returns a command as an argument of sesame.command, where braces are doubled.
func template(command string) string {
	return strings.NewReplacer("{", "{{", "}", "}}", placeholder, "{source}").Replace(command)
}

// wait returns the time from the start command to the stop command. It is at least a millisecond,
// because the engine has no grant without a duration.
func (d *Door) wait() time.Duration {
	return max(time.Duration(d.CommandTimeout)*time.Second, time.Millisecond)
}

// A family is the address family of the source.
type family int

const (
	ipv4 family = iota
	ipv6
)

// An action is what knockd runs for one family or for both.
type action struct {
	families    []family
	suffix      string // of the variable in a script
	line        int    // of the start command
	start, stop string
}

// actions returns what a door runs: the same for both families, another for each, for one alone, or
// nothing.
func (d *Door) actions() []action {
	four, six := d.action(ipv4), d.action(ipv6)
	if four.start == six.start && four.stop == six.stop {
		four.families = []family{ipv4, ipv6}
		six.start = ""
	}
	six.suffix = "_6"
	return slices.DeleteFunc([]action{four, six}, func(a action) bool { return a.start == "" })
}

// action returns what a door runs for a family. Without a start command knockd never runs the stop
// command.
func (d *Door) action(of family) action {
	start, stop := d.commands(of)
	if start.Text == "" {
		stop.Text = ""
	}
	return action{families: []family{of}, line: start.Line, start: start.Text, stop: stop.Text}
}

// commands returns the commands that knockd has for a family. There may be a stop command alone.
// For IPv6 knockd takes those for IPv4 where the file has no others (knockd(1), Start_Command_6).
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
