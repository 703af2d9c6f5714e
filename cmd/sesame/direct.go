//go:build linux

package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"sesame/daemon"
	"sesame/daemon/audit"
	"sesame/daemon/control"
	"sesame/daemon/effect"
	"sesame/daemon/effect/firewall"
)

// grantDirectly gives access without a daemon, in the table that an earlier one left. The
// kernel ends the access.
func (p *program) grantDirectly(c *cobra.Command, f *configFlags, r control.GrantRequest) (err error) {
	settings, err := p.daemonSettings(c, f)
	if err != nil {
		return err
	}
	if wall := settings.Firewall; wall.Mode != "guard" {
		set := wall.Set4
		if r.Source.Addr().Is6() {
			set = wall.Set6
		}
		return fmt.Errorf("no daemon answers at %s, and without one sesame leaves your own sets alone: to let %s in, use nft add element %s %s %s",
			settings.Socket, r.Source, wall.Family, wall.Table, set)
	}
	if pid, runs := daemon.RunningInstance(); runs {
		return fmt.Errorf("no daemon answers at %s, but %s guards this network, and would take away what it did not give: name its socket with --socket", settings.Socket, runningText(pid))
	}
	guard := firewall.NewGuard(firewall.GuardConfig{Mark: settings.Firewall.Mark})
	defer func() { err = errors.Join(err, guard.Close()) }()
	err = guard.GrantDirectly(r.Source.Prefix, r.Port.Port, time.Duration(r.TTL))
	p.auditDirectly(c, &settings, audit.Entry{Action: audit.Grant, Source: r.Source.String(), Port: r.Port.String(), TTL: r.TTL.String()}, err)
	if errors.Is(err, effect.ErrGone) {
		return fmt.Errorf("no daemon answers at %s, and there is no table of sesame in the firewall: nothing is shut by it", settings.Socket)
	}
	if err != nil {
		return fmt.Errorf("granting without a daemon: %w", err)
	}
	p.note("no daemon answers at %s: the access went straight into the firewall", settings.Socket)
	return p.print("%s may reach %s for %s\n", r.Source, r.Port, r.TTL)
}

// runningText names a daemon by its process; 0: it is not known.
func runningText(pid int) string {
	if pid == 0 {
		return "a sesame"
	}
	return fmt.Sprintf("a sesame, process %d,", pid)
}
