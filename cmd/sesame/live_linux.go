package main

import (
	"strings"

	"github.com/spf13/cobra"

	"sesame/daemon/config"
	"sesame/daemon/effect/firewall"
	"sesame/daemon/engine"
	"sesame/daemon/packet"
)

// liveCommands are those of the daemon, and of who asks it: they need Linux.
func (p *program) liveCommands() []*cobra.Command {
	return []*cobra.Command{
		p.runCommand(), p.statusCommand(), p.grantsCommand(), p.grantCommand(), p.revokeCommand(), p.eventsCommand(),
		p.reloadCommand(), p.recordCommand(), p.explainCommand(), p.firewallCommand(),
	}
}

// checkMachine warns of chains of this machine's firewall that would drop what
// the doors let in. It is for a configuration of this machine, not for scripts that
// are looked at somewhere.
func (p *program) checkMachine(settings *config.Config, set *engine.Set) {
	var ports []packet.Port
	for _, d := range set.Doors {
		ports = append(ports, d.Guards...)
	}
	if settings.Firewall.Mode != "guard" {
		return
	}
	guard := firewall.NewGuard(firewall.GuardConfig{Mark: settings.Firewall.Mark})
	defer guard.Close()
	obstacles, err := guard.ObstaclesTo(ports)
	if err != nil {
		p.note("the firewall of this machine was not looked at: %v", err)
	}
	for _, o := range obstacles {
		p.warn("chain %s of table %s drops what a door lets in; to let it through, run:\n    %s", o.Chain, o.Table, strings.Join(o.Lines(), "\n    "))
	}
}
