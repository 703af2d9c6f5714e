// Package client turns a host and a list of ports into knocks: one packet to each, in order,
// over IPv4 and IPv6.
//
// It uses both families because a door opens to the address that knocked, and the connection
// that follows may use either. The families do not wait for each other. A family without a
// route is left out.
package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"strings"
	"sync"
)

// The exit statuses.
const (
	done     = 0 // sent; with --then: and the port is open
	answerNo = 1 // sent, and the port of --then is closed
	couldNot = 2
)

// A Program is the client as a command. [Program.Run] may write to its streams from several
// goroutines, one line at a time, and never after it has returned.
type Program struct {
	Name           string // of the command, such as "knock"
	Version        string
	Stdout, Stderr io.Writer
}

// Run carries out the arguments and returns the exit status: 0 when at least one address got
// all knocks, 1 when the port of --then is closed on the address that programs try first, and
// 2 when no address got all knocks. It returns early when ctx ends.
func (p Program) Run(ctx context.Context, args []string) int {
	o, err := parseOptions(args)
	switch {
	case err != nil:
		p.complain(err)
		fmt.Fprintf(p.Stderr, "\nRun \"%s --help\" for what it takes.\n", p.Name)
		return couldNot
	case o.help:
		return p.print(p.Help())
	case o.version:
		return p.print(p.Name + " " + p.Version + "\n")
	}
	runs, status, err := p.knock(ctx, o)
	if ctx.Err() != nil {
		err = errors.New("interrupted")
	}
	if err != nil {
		p.complain(err)
		status = couldNot
	}
	if o.json && newResult(o, runs, status, err).write(p.Stdout) != nil {
		return couldNot
	}
	return status
}

// print prints what was requested, and returns the exit status.
func (p Program) print(text string) int {
	if _, err := io.WriteString(p.Stdout, text); err != nil {
		return couldNot
	}
	return done
}

// complain prints an error, each line with the name of the program.
func (p Program) complain(err error) {
	for line := range strings.SplitSeq(err.Error(), "\n") {
		fmt.Fprintf(p.Stderr, "%s: %s\n", p.Name, line)
	}
}

// knock sends the knocks to each address, and returns the runs that were tried and the exit status.
func (p Program) knock(ctx context.Context, o *options) (runs []run, status int, err error) {
	found, err := o.addresses(ctx)
	if err != nil {
		return nil, couldNot, err
	}
	runs, err = p.reachable(ctx, o, found)
	if err != nil {
		return nil, couldNot, err
	}
	out := &printer{w: p.Stdout}
	if o.json {
		out.w = p.Stderr // standard output has only the object
	}
	var all sync.WaitGroup
	if o.then != nil {
		// The port of every address is tried before the first knock, because a door may open
		// to more addresses than the one that knocked.
		for i := range runs {
			all.Go(func() { runs[i].before = connect(ctx, runs[i].port(o), limitBefore) })
		}
		all.Wait()
	}
	for i := range runs {
		all.Go(func() { runs[i].knock(ctx, o, out) })
	}
	all.Wait()
	if ctx.Err() != nil {
		return runs, couldNot, ctx.Err() // there is no result of --then
	}
	status, err = p.judge(o, runs, out)
	return runs, status, err
}

// reachable returns a run for each address with a route.
func (p Program) reachable(ctx context.Context, o *options, found []netip.Addr) (runs []run, err error) {
	var failures []error
	for _, address := range found {
		if err := routed(ctx, address); err != nil {
			failures = append(failures, err)
			continue
		}
		runs = append(runs, run{to: address})
	}
	if len(runs) == 0 {
		return nil, errors.Join(failures...)
	}
	if o.verbose {
		for _, failure := range failures {
			p.complain(fmt.Errorf("left out: %w", failure))
		}
	}
	return runs, nil
}

// judge prints the results of the runs and returns the exit status. The first run is at the
// address that other programs will try first.
func (p Program) judge(o *options, runs []run, out *printer) (status int, err error) {
	var failures []error
	for _, r := range runs {
		if r.err != nil {
			failures = append(failures, r.err)
		}
	}
	if len(failures) == len(runs) {
		return couldNot, errors.Join(failures...)
	}
	for _, failure := range failures {
		p.complain(failure)
	}
	if o.then == nil {
		return done, nil
	}
	for _, r := range runs {
		if r.err == nil && !o.json {
			out.print("%s\n", verdict(*o.then, r.to, r.before, r.after))
		}
	}
	if runs[0].err != nil || runs[0].after.state != open {
		return answerNo, nil
	}
	return done, nil
}

// A run is one sequence at one address.
type run struct {
	to            netip.Addr
	sent          int    // knocks
	before, after answer // of the port of --then
	err           error
}

// port returns the port of --then at the address of the run.
func (r *run) port(o *options) netip.AddrPort { return netip.AddrPortFrom(r.to, o.then.Port) }

// knock sends all knocks of the run, gives the door time to open and then, with --then, waits
// for the port. The runs of both families are independent: an error of one does not stop the other.
func (r *run) knock(ctx context.Context, o *options, out *printer) {
	s := newSender(r.to)
	defer s.close()
	r.err = s.send(ctx, o.knocks, o.delay, func(k Knock) {
		r.sent++
		if o.verbose {
			out.print("knock %s on %s\n", k, r.to)
		}
	})
	// Also without --then: "knock HOST PORT && ssh HOST" connects as soon as this program ends.
	if r.err != nil || wait(ctx, settle) != nil || o.then == nil {
		return
	}
	r.after = connectUntilOpen(ctx, r.port(o))
}

// A printer writes whole lines for several goroutines. It ignores errors, since a message that
// nobody can read must not stop the knocks.
type printer struct {
	mu sync.Mutex
	w  io.Writer
}

// print prints a line.
func (t *printer) print(format string, arguments ...any) {
	t.mu.Lock()
	defer t.mu.Unlock()
	fmt.Fprintf(t.w, format, arguments...)
}
