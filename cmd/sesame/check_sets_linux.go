package main

import (
	"fmt"

	"sesame/daemon/config"
	"sesame/daemon/effect/firewall"
)

// checkSets returns what is wrong with the sets of the user that the configuration names: the
// daemon would not start with them. It prints a note when it may not look at the firewall.
func (p *program) checkSets(settings *config.Config) []error {
	if settings.Firewall.Mode != "set" {
		return nil
	}
	sets, err := firewall.NewSets(firewall.SetConfig{
		Family: settings.Firewall.Family, Table: settings.Firewall.Table, Set4: settings.Firewall.Set4, Set6: settings.Firewall.Set6,
		Now: now,
	})
	if err != nil {
		return []error{fmt.Errorf("%s: %w", settings.File, err)}
	}
	defer sets.Close()
	problems, err := sets.Check()
	if err != nil {
		p.note("the sets of the firewall were not looked at, as root they are: %v", err)
	}
	for i, problem := range problems {
		problems[i] = fmt.Errorf("%s: firewall: %w", settings.File, problem)
	}
	return problems
}
