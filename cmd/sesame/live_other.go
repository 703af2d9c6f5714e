//go:build !linux

package main

import (
	"github.com/spf13/cobra"

	"sesame/daemon/config"
	"sesame/daemon/writable"
	"sesame/scripting"
	"sesame/scripting/lint"
)

// liveCommands returns none, since the daemon needs Linux. Scripts can be checked and captures
// replayed everywhere.
func (p *program) liveCommands() []*cobra.Command { return nil }

func writableFiles(*config.Config, *scripting.Set, []string) []writable.Finding { return nil }

func (p *program) checkMachine(*config.Config, *scripting.Set) {}

func (p *program) readTranslations(*config.Config, *lint.Machine) {}

func (p *program) checkSets(*config.Config) []error { return nil }
