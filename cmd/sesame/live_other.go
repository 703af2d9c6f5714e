//go:build !linux

package main

import (
	"context"
	"errors"
	"net/netip"

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

// errNoDaemon means that no daemon answers on this machine.
var errNoDaemon = errors.New("no daemon answers: it needs Linux")

// oldRunning finds no daemon, which needs Linux.
func (p *program) oldRunning(context.Context, *cobra.Command, *diffFlags, *newSide) (*oldSide, error) {
	return nil, errNoDaemon
}

// addressAbove knows no login but that of the environment.
func addressAbove(int) netip.Addr { return netip.Addr{} }
