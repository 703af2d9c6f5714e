package main

import (
	"strings"

	"github.com/spf13/cobra"

	"sesame/daemon"
	"sesame/daemon/config"
	"sesame/daemon/effect/firewall"
	"sesame/daemon/packet"
	"sesame/daemon/writable"
	"sesame/scripting"
	"sesame/scripting/lint"
)

// liveCommands returns the commands that run or control a daemon. They need Linux.
func (p *program) liveCommands() []*cobra.Command {
	return []*cobra.Command{
		p.runCommand(),
		p.statusCommand(),
		p.metricsCommand(),
		p.grantsCommand(),
		p.grantCommand(),
		p.revokeCommand(),
		p.storeCommand(),
		p.eventsCommand(),
		p.reloadCommand(),
		p.confirmCommand(),
		p.auditCommand(),
		p.editCommand(),
		p.recordCommand(),
		p.explainCommand(),
		p.firewallCommand(),
		p.probeCommand(),
		p.helperCommand(),
		loaderCommand(),
		rulesCommand(),
	}
}

// writableFiles returns what other users can change of what a set does. Without a configuration of
// this machine only the scripts, what they read, and databases of --geo are looked at.
func writableFiles(settings *config.Config, set *scripting.Set, databases []string) []writable.Finding {
	used := *settings
	if len(databases) > 0 {
		used.Geo.Databases = nil
		for _, path := range databases {
			used.Geo.Databases = append(used.Geo.Databases, config.Value{Text: path})
		}
	}
	if settings.File != "" {
		return daemon.WritableByOthers(set, &used)
	}
	targets := daemon.ScriptTargets(set, &used)
	if len(databases) > 0 {
		targets = append(targets, daemon.DatabaseTargets(set, &used)...)
	}
	return writable.Find(targets)
}

// checkMachine warns of chains of this machine's firewall that would drop granted packets. It is
// for a configuration of this machine.
func (p *program) checkMachine(settings *config.Config, set *scripting.Set) {
	var ports []packet.Port
	for _, d := range set.Engine.Doors {
		ports = append(ports, d.Guards...)
	}
	if settings.Firewall.Mode != "guard" {
		return
	}
	guard := firewall.NewGuard(firewall.GuardConfig{Mark: settings.Firewall.Mark})
	defer guard.Close()
	conflicts, err := guard.ConflictsFor(ports)
	if err != nil {
		p.note("the firewall of this machine was not looked at: %v", err)
	}
	for _, o := range conflicts {
		p.note("chain %s %s drops by default, and has no rule for granted packets; if a door opens and its port stays shut, run:\n    %s", o.Table, o.Chain, strings.Join(o.Lines(), "\n    "))
	}
}

// readTranslations adds the ports that containers publish. They matter to a guard of our own
// alone.
func (p *program) readTranslations(settings *config.Config, machine *lint.Machine) {
	if settings.Firewall.Mode != "guard" {
		return
	}
	guard := newGuard(settings)
	defer guard.Close()
	found, err := guard.Translations()
	if err != nil {
		p.note("the ports that containers publish were not looked at: %v", err)
	}
	for _, one := range found {
		machine.Translations = append(machine.Translations, lint.Translation(one))
	}
}
