//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"sesame/daemon/control"
	"sesame/daemon/packet"
	"sesame/daemon/transcript"
	"sesame/scripting"
)

func (p *program) grantsCommand() *cobra.Command {
	f, asJSON := &configFlags{}, false
	c := &cobra.Command{
		Use:   "grants [flags]",
		Short: "List who has access now, for how long, and whether the port answered",
		Long: `Grants lists who has access now, and for how long. The last column says what the
kernel showed since the grant was given: unused, answered, dropped or rejected by
a chain of another program, nobody answered, or no program listens. Of a command
it says that it failed, and with which exit status: its undo is pending all the
same. A "-" stands for what is not known, and for a command that did not fail, or
ran before the daemon was started. How to let packets through that another program
drops: sesame status, or sesame explain.

A command that is shared has one line for each grant that holds it. Its undo runs
when the last of them ends.`,
		Example: `  sesame grants
  sesame grants --json | jq -r '.[].source'`,
		Args: noArguments,
		RunE: func(c *cobra.Command, _ []string) error {
			return p.request(c, f, func(ctx context.Context, daemon *control.Client) error {
				grants, err := daemon.Grants(ctx)
				if err != nil {
					return err
				}
				return p.printGrants(grants, asJSON)
			})
		},
	}
	f.addSocket(c)
	c.Flags().BoolVar(&asJSON, "json", false, "for programs")
	return c
}

// printGrants prints grants as a table or as JSON. Names of doors are quoted where they
// contain control characters.
func (p *program) printGrants(grants []control.Grant, asJSON bool) error {
	switch {
	case asJSON:
		return p.writeJSON(append([]control.Grant{}, grants...)) // [] instead of null
	case len(grants) == 0:
		return p.print("no grants\n")
	}
	table := tabwriter.NewWriter(p.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "id\tsource\tfor\tby\tremaining\treached")
	for i := range grants {
		g := &grants[i]
		fmt.Fprintf(table, "%d\t%s\t%s\t%s\t%s\t%s\n", g.ID, g.Source, transcript.Safe(given(g)), transcript.Safe(giver(g)), span(time.Duration(g.Remaining)), reached(g))
	}
	return table.Flush()
}

// reached returns what became of the packets that a grant let in, or that its command failed; "-"
// when neither is known.
func reached(g *control.Grant) string {
	switch {
	case g.Failure != nil && g.Failure.Status >= 0:
		return fmt.Sprintf("command failed: exit status %d", g.Failure.Status)
	case g.Failure != nil:
		return "command failed: it did not exit by itself"
	case g.Reached == nil:
		return "-"
	}
	return g.Reached.Short()
}

// given returns what a grant gives.
func given(g *control.Grant) string {
	what := g.Port.String()
	if g.Argv != nil {
		what = transcript.Command(g.Argv)
	}
	if g.SharedBy > 0 {
		what += fmt.Sprintf(" (shared by %d)", g.SharedBy)
	}
	if g.Observed {
		what += " (observed)"
	}
	return what
}

// giver returns who gave a grant.
func giver(g *control.Grant) string {
	switch {
	case g.Door == "":
		return "a person"
	case g.By.IsValid() && !(g.Source.IsSingleIP() && g.Source.Addr() == g.By):
		return "door " + g.Door + ", knocked by " + g.By.String()
	}
	return "door " + g.Door
}

func (p *program) grantCommand() *cobra.Command {
	f := &configFlags{}
	c := &cobra.Command{
		Use:   "grant [flags] ADDRESS|NETWORK PORT DURATION",
		Short: "Give access without a knock, for a time",
		Long: `Grant lets an address or a network reach a guarded port, as an open door would.

When no daemon answers, the access goes straight into the table that a daemon
left, and a message says so. So a person at the console can let others in while
the daemon is down.`,
		Example: `  sesame grant 203.0.113.9 tcp/22 10m`,
		Args:    arguments(3, 3, "ADDRESS|NETWORK PORT DURATION, such as 203.0.113.9 tcp/22 10m"),
		RunE:    func(c *cobra.Command, args []string) error { return p.grant(c, f, args) },
	}
	f.addSocket(c)
	return c
}

// grant asks the daemon to give access, and waits until the firewall has it. Without a daemon
// it writes into the firewall itself, but only when the socket is the configured one.
func (p *program) grant(c *cobra.Command, f *configFlags, args []string) error {
	request, err := parseGrant(c, args)
	if err != nil {
		return err
	}
	return p.request(c, f, func(ctx context.Context, daemon *control.Client) error {
		grant, err := daemon.Grant(ctx, request)
		// A named socket means the daemon behind it, and never the firewall directly.
		if errors.Is(err, control.ErrNoDaemon) && !namesSocket(c) {
			return p.grantDirectly(c, f, request)
		}
		if errors.Is(err, control.ErrNoDaemon) {
			return fmt.Errorf("%w; without --socket and SESAME_SOCKET, access is given straight in the firewall", err)
		}
		if err != nil {
			return err
		}
		text := fmt.Sprintf("%s may reach %s for %s, until %s (grant %d)", grant.Source, grant.Port, span(time.Duration(grant.Remaining)), formatTime(grant.End), grant.ID)
		if grant.Observed {
			text += "; the daemon only observes: nothing was opened"
		}
		if grant.Unguarded {
			text += "; no door guards that port, so everybody may, for all that Sesame does"
		}
		return p.print("%s\n", text)
	})
}

// parseGrant parses ADDRESS|NETWORK PORT DURATION.
func parseGrant(c *cobra.Command, args []string) (r control.GrantRequest, err error) {
	if r.Source, err = control.ParseSource(args[0]); err != nil {
		return r, &usageError{c, err.Error()}
	}
	if r.Port.Port, err = packet.ParsePort(args[1]); err != nil {
		return r, &usageError{c, err.Error()}
	}
	ttl, err := scripting.ParseDuration(args[2])
	if err != nil {
		return r, &usageError{c, err.Error()}
	}
	r.TTL = control.Duration(ttl)
	return r, nil
}

func (p *program) revokeCommand() *cobra.Command {
	f, cut := &configFlags{}, false
	c := &cobra.Command{
		Use:   "revoke [flags] ADDRESS|NETWORK [PORT]",
		Short: "End grants before their time",
		Long: `Revoke ends the grants of an address or a network, and those of networks that
overlap it: on one port, or on all ports together with commands that have a
pending undo. UDP flows end at once. TCP connections that are open stay open,
unless you say --cut.

With --cut, open TCP connections are reset when either side sends its next
packet: those of the grants that end, and those of ADDRESS to guarded ports when
their grants have ended before. The guard must be that of sesame (mode "guard").

The exit status is 1 when there was nothing to end.`,
		Example: `  sesame revoke 203.0.113.9
  sesame revoke --cut 203.0.113.9 tcp/22
  sesame revoke 203.0.113.0/24 tcp/22`,
		Args: arguments(1, 2, "ADDRESS|NETWORK [PORT], such as 203.0.113.9 tcp/22"),
		RunE: func(c *cobra.Command, args []string) error { return p.revoke(c, f, args, cut) },
	}
	f.addSocket(c)
	c.Flags().BoolVar(&cut, "cut", false, "also end TCP connections that are open")
	return c
}

// revoke ends grants and prints those that ended. The exit status is 1 when there was none.
func (p *program) revoke(c *cobra.Command, f *configFlags, args []string, cut bool) error {
	request := control.RevokeRequest{Cut: cut}
	var err error
	if request.Source, err = control.ParseSource(args[0]); err != nil {
		return &usageError{c, err.Error()}
	}
	if len(args) > 1 {
		if request.Port.Port, err = packet.ParsePort(args[1]); err != nil {
			return &usageError{c, err.Error()}
		}
	}
	return p.request(c, f, func(ctx context.Context, daemon *control.Client) error {
		ended, err := daemon.Revoke(ctx, request)
		if err != nil {
			return err
		}
		if len(ended) == 0 {
			unguarded := ""
			if cut {
				unguarded = ", and no door guards such a port"
			}
			p.note("%s has no such grant%s; sesame grants lists all", request.Source, unguarded)
			p.status = answerNo
			return nil
		}
		for i := range ended {
			if err := p.print("%s\n", revoked(&ended[i])); err != nil {
				return err
			}
		}
		return nil
	})
}

// revoked describes what a revoke ended.
func revoked(g *control.Grant) string {
	if g.ID == 0 {
		return fmt.Sprintf("cut what %s has open to %s: there was no grant", g.Source, g.Port)
	}
	text := fmt.Sprintf("revoked %s of %s (grant %d, %s)", given(g), g.Source, g.ID, transcript.Safe(giver(g)))
	if g.Cut {
		text += ", and cut what it let in"
	}
	return text
}
