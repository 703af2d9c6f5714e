//go:build linux

package main

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"sesame/daemon"
	"sesame/daemon/audit"
	"sesame/daemon/config"
	"sesame/daemon/effect"
	"sesame/daemon/effect/firewall"
	"sesame/daemon/packet"
	"sesame/daemon/state"
	"sesame/daemon/transcript"
)

func (p *program) firewallCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "firewall",
		Short: "Show, remove or load the guard, without the daemon",
		Long: `Firewall works on Sesame's table in the kernel's firewall, "inet sesame" of
nftables. It needs no daemon: the table stays when the daemon ends.`,
		Args: noCommand,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(
		p.firewallPart("show", "Show what is shut, who may pass, and what stands in the way", `Show reads Sesame's table: the guarded and the observed ports, who has access and
for how long, who is never stopped, who would have been stopped, and the chains of
others that drop what Sesame lets in, with the lines that let it through.

The exit status is 0 when there is a table, and 1 when there is none.`, p.firewallShow),
		p.firewallPart("remove", "Take the guard away: what it shut is open", `Remove takes Sesame's table out of the kernel's firewall, and tells which ports are
no longer shut by it. It changes no table of others. A daemon that runs would put
the table back within a second, so it must be stopped first. The next start guards
again: what a person takes away for good, sesame reload --unguard releases.`, p.firewallRemove),
		p.firewallLoadCommand(),
	)
	return c
}

// firewallPart returns one of the subcommands of firewall.
func (p *program) firewallPart(name, short, long string, do func(*cobra.Command, *firewall.Guard, *config.Config) error) *cobra.Command {
	f := &configFlags{}
	c := &cobra.Command{
		Use: name + " [flags]", Short: short, Long: long, Args: noArguments, Example: "  sudo sesame firewall " + name,
		RunE: func(c *cobra.Command, _ []string) (err error) {
			settings, _, err := p.loadAnyway(c, f)
			if err != nil {
				return err
			}
			guard := newGuard(&settings)
			defer func() { err = errors.Join(err, guard.Close()) }()
			return do(c, guard, &settings)
		},
	}
	addConfigFile(c, &f.file)
	return c
}

// newGuard returns the guard of a configuration. It opens no connection to the kernel before
// it is used.
func newGuard(settings *config.Config) *firewall.Guard {
	return firewall.NewGuard(firewall.GuardConfig{
		Mark: settings.Firewall.Mark, Trusted: settings.Trusted, TrustedInterfaces: settings.TrustedInterfaces,
		Answer: firewall.Answer(settings.Firewall.Answer),
	})
}

// firewallShow prints the table as it is in the kernel. It reads nothing of the daemon, so it
// is right after a crash too. Without a table the exit status is 1.
func (p *program) firewallShow(_ *cobra.Command, guard *firewall.Guard, _ *config.Config) error {
	shown, there, err := guard.Show()
	if err != nil {
		return fmt.Errorf("reading the firewall: %w", err)
	}
	if !there {
		p.status = answerNo
		return p.print("there is no table of sesame: nothing is shut by it\n")
	}
	conflicts, err := guard.Conflicts()
	if err != nil {
		return fmt.Errorf("reading the firewall: %w", err)
	}
	var b strings.Builder
	writeShown(&b, &shown)
	writeConflicts(&b, conflicts)
	return p.print("%s", &b)
}

// writeShown writes the table as text: guarded ports with their counters, trusted networks,
// grants, and what observing guards let through.
func writeShown(b *strings.Builder, s *firewall.Shown) {
	fmt.Fprintf(b, "table     %s\n", s.Table)
	fmt.Fprintf(b, "guarded   %s; %s dropped\n", portList(s.Guards.Drop), transcript.Count(int(s.Dropped), "packet"))
	fmt.Fprintf(b, "answer    %s\n", s.Answer)
	if s.Answer == firewall.AnswerAuto {
		fmt.Fprintf(b, "stand-ins %s\n", portList(append(s.StandIns, firewall.CommonStandIns...)))
	}
	if len(s.Guards.Count) > 0 {
		fmt.Fprintf(b, "observed  %s; %s would have been dropped\n", portList(s.Guards.Count), transcript.Count(int(s.Observed), "packet"))
	}
	trusted := []string{"loopback"}
	for _, network := range s.Trusted {
		trusted = append(trusted, transcript.Source(network))
	}
	fmt.Fprintf(b, "trusted   %s\n", strings.Join(append(trusted, s.Interfaces...), ", "))
	if len(s.Elements) == 0 {
		fmt.Fprintln(b, "grants    none")
	} else {
		fmt.Fprintln(b, "grants")
	}
	// A write into a builder never fails.
	table := tabwriter.NewWriter(b, 0, 0, 2, ' ', 0)
	for _, e := range s.Elements {
		by := "a person"
		if e.Door != "" {
			by = "door " + transcript.Safe(e.Door)
		}
		fmt.Fprintf(table, "  %s\t%s\t%s left\t%s\n", transcript.Source(e.Source), e.Port, span(e.Remaining), by)
	}
	_ = table.Flush()
	writeStopped(b, "refused", s.Refused)
	if len(s.Guards.Count) == 0 { // entries of an earlier time with observing doors
		return
	}
	writeStopped(b, "would have been stopped", s.Stopped)
}

// maxStopped bounds the sources in the text: a flood has many.
const maxStopped = 20

// writeStopped writes the latest sources that were stopped, if there are any.
func writeStopped(b *strings.Builder, title string, stopped []firewall.Stopped) {
	if len(stopped) == 0 {
		return
	}
	fmt.Fprintln(b, title)
	table := tabwriter.NewWriter(b, 0, 0, 2, ' ', 0)
	for _, one := range stopped[:min(len(stopped), maxStopped)] {
		fmt.Fprintf(table, "  %s\t%s\t%s\t%s ago\n", one.Source, one.Port, transcript.Count(int(one.Packets), "packet"), span(one.Ago))
	}
	_ = table.Flush()
	if more := len(stopped) - maxStopped; more > 0 {
		fmt.Fprintf(b, "  and %d more\n", more)
	}
}

// writeConflicts writes which chains of other programs may drop granted packets.
func writeConflicts(b *strings.Builder, conflicts []firewall.Conflict) {
	for _, o := range conflicts {
		fmt.Fprintf(b, "\nchain %s %s drops by default, and has no rule for granted packets.\nIf a door opens and its port stays shut, run:\n", o.Table, o.Chain)
		for _, line := range o.Lines() {
			fmt.Fprintf(b, "  %s\n", line)
		}
	}
}

// portList returns ports as a list, and "nothing" for none.
func portList(ports []packet.Port) string {
	if len(ports) == 0 {
		return "nothing"
	}
	texts := make([]string, len(ports))
	for i, port := range ports {
		texts[i] = port.String()
	}
	return strings.Join(texts, ", ")
}

// firewallRemove removes the table, which opens all guarded ports. While a daemon runs it
// refuses: the daemon would install the table again.
func (p *program) firewallRemove(c *cobra.Command, guard *firewall.Guard, settings *config.Config) error {
	if pid, runs := daemon.RunningInstance(); runs {
		return fmt.Errorf("%s guards this network, and would put the table back within a second: stop it first", runningText(pid))
	}
	p.tellPending(settings)
	// A table that cannot be read can still be removed.
	shown, _, _ := guard.Show()
	was, err := guard.Remove()
	e := audit.Entry{Action: audit.FirewallRemove}
	if was {
		e.Ports = portList(shown.Guards.Drop)
	}
	if was || err != nil {
		p.auditDirectly(c, settings, e, err)
	}
	switch {
	case err != nil:
		return err
	case !was:
		return p.print("there is no table of sesame: nothing was shut by it\n")
	}
	if len(shown.Guards.Drop) == 0 {
		return p.print("removed; it shut nothing\n")
	}
	ports := portList(shown.Guards.Drop)
	p.note("the next start shuts %s again, also when the scripts do not: then sesame reload --unguard releases a port", ports)
	return p.print("removed; no longer shut by sesame: %s\n", ports)
}

func (p *program) firewallLoadCommand() *cobra.Command {
	f := &configFlags{}
	c := &cobra.Command{
		Use: "load [flags]", Short: "Shut the ports of the last good script set",
		Long: `Load guards the ports of the last good script set, which the daemon saved in its
state directory. It is for the start of the machine, before there is a network.
Sources that have access keep it. When the configuration is wrong, load uses the
settings that were saved with the scripts.`,
		Example: `  sudo sesame firewall load`,
		Args:    noArguments,
		RunE: func(c *cobra.Command, _ []string) error {
			settings, known, err := p.loadAnyway(c, f)
			if err != nil {
				return err
			}
			if !known {
				p.warn("the guard is loaded as it was when scripts were last applied")
			}
			return p.firewallLoad(settings, known)
		},
	}
	addConfigFile(c, &f.file)
	c.Flags().StringVar(&f.state, "state", "", "directory for what must survive a restart (default /var/lib/sesame)")
	return c
}

// firewallLoad loads the saved guard. Known reports whether the settings are those of this
// machine, and not the defaults.
func (p *program) firewallLoad(settings config.Config, known bool) (err error) {
	if settings.Firewall.Mode != "guard" {
		p.note("firewall.mode is %q: the ports are yours to shut, and nothing was loaded", settings.Firewall.Mode)
		return nil
	}
	dir, err := state.OpenToRead(settings.State)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		p.neverSaved(settings.State)
		return nil
	case err != nil:
		return fmt.Errorf("loading the guard: %w", err)
	}
	defer func() { err = errors.Join(err, dir.Close()) }()
	p.tellPending(&settings)
	saved, ok, err := dir.LastGood()
	if err != nil {
		return fmt.Errorf("loading the guard: %w", err)
	}
	if !ok {
		p.neverSaved(settings.State)
		return nil
	}
	if !known {
		settings.Firewall.Answer = saved.Answer
		settings.Firewall.Mark, settings.Trusted, settings.TrustedInterfaces = saved.Mark, saved.Trusted, saved.TrustedInterfaces
	}
	guard := newGuard(&settings)
	defer func() { err = errors.Join(err, guard.Close()) }()
	return p.loadGuard(guard, saved.Guards, settings.Observe)
}

func (p *program) neverSaved(dir string) {
	p.note("no script set was ever saved in %s: nothing is shut", dir)
}

// loadGuard installs a guard for ports and keeps the grants that the kernel holds.
func (p *program) loadGuard(guard *firewall.Guard, ports []packet.Port, observe bool) error {
	elements, err := guard.Elements()
	if err != nil {
		return fmt.Errorf("loading the guard: %w", err)
	}
	guards, verb := effect.Guards{Drop: ports}, "shut"
	if observe {
		guards, verb = effect.Guards{Count: ports}, "observed"
	}
	if err := guard.Install(guards, elements); err != nil {
		return fmt.Errorf("loading the guard: %w", err)
	}
	return p.print("%s: %s\n", verb, portList(ports))
}
