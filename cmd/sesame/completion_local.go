package main

import (
	"net"
	"net/netip"
	"strings"

	"github.com/spf13/cobra"

	"sesame/cmd/knock/client"
	"sesame/scripting"
)

// loadedFor calls a function with the script set that the flags of a command name, when it loads.
func (p *program) loadedFor(c *cobra.Command, call func(*scripting.Set)) {
	f := &scriptFlags{}
	f.path, _ = c.Flags().GetString("scripts")
	f.config, _ = c.Flags().GetString("config")
	f.values, _ = c.Flags().GetStringArray("set")
	set, _, err := p.loadOffline(c, f)
	if err != nil {
		return
	}
	defer set.Close()
	call(set)
}

// completeDoors completes to the doors of the scripts.
func (p *program) completeDoors(c *cobra.Command, _ []string, begin string) ([]string, cobra.ShellCompDirective) {
	var names []string
	p.loadedFor(c, func(set *scripting.Set) {
		for _, d := range set.Engine.Doors {
			names = append(names, d.Name)
		}
	})
	return offered(names, begin), noFiles
}

// completeOptions completes to the options of the scripts, with what they are for.
func (p *program) completeOptions(c *cobra.Command, _ []string, begin string) ([]string, cobra.ShellCompDirective) {
	var all []string
	if strings.Contains(begin, "=") {
		return nil, noFiles
	}
	p.loadedFor(c, func(set *scripting.Set) {
		for _, o := range set.Options {
			for _, name := range offered([]string{o.Name + "="}, begin) {
				all = append(all, cobra.CompletionWithDesc(name, description(o.Doc)))
			}
		}
	})
	return all, noFiles | cobra.ShellCompDirectiveNoSpace
}

// description returns a text that can stand behind a name: one line of visible characters.
func description(text string) string {
	text, _, _ = strings.Cut(text, "\n")
	if !canBeOffered(text) {
		return ""
	}
	return text
}

// completeInterfaces completes to the interfaces of this machine.
func completeInterfaces(_ *cobra.Command, _ []string, begin string) ([]string, cobra.ShellCompDirective) {
	names := []string{"any"}
	all, _ := net.Interfaces() // without them there is nothing to offer
	for _, one := range all {
		names = append(names, one.Name)
	}
	return offered(names, begin), noFiles
}

// completeLocal completes to the addresses of this machine.
func completeLocal(_ *cobra.Command, _ []string, begin string) ([]string, cobra.ShellCompDirective) {
	var names []string
	all, _ := net.InterfaceAddrs() // as above
	for _, one := range all {
		if prefix, err := netip.ParsePrefix(one.String()); err == nil && !prefix.Addr().IsLoopback() && !prefix.Addr().IsLinkLocalUnicast() {
			names = append(names, prefix.Addr().String())
		}
	}
	return offered(names, begin), noFiles
}

// completeKnock completes the flags of the client, which parses them itself, and the protocols of
// knocks. Cobra asks it for flags, too.
func completeKnock(_ *cobra.Command, args []string, begin string) ([]string, cobra.ShellCompDirective) {
	if strings.HasPrefix(begin, "-") {
		var all []string
		for _, f := range client.Flags() {
			if strings.HasPrefix("--"+f.Name, begin) {
				all = append(all, cobra.CompletionWithDesc("--"+f.Name, f.Text))
			}
		}
		return all, noFiles
	}
	if len(args) == 0 {
		return nil, noFiles
	}
	return offered([]string{"tcp/", "udp/"}, begin), noFiles | cobra.ShellCompDirectiveNoSpace
}
