//go:build !linux

package main

import "github.com/spf13/cobra"

// completeSources completes to nothing: the daemon that knows sources needs Linux.
func (p *program) completeSources(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	return nil, noFiles
}

// daemonArguments are those of commands that need Linux.
func (p *program) daemonArguments() map[string]cobra.CompletionFunc { return nil }

// daemonFlags are flags of such commands.
func (p *program) daemonFlags() map[string]valueKind { return nil }
