package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"sesame/daemon/control"
	"sesame/daemon/wire"
)

// completionLimit is how long a shell waits for names that the daemon knows.
const completionLimit = 700 * time.Millisecond

// daemonArguments says what the arguments of commands that ask the daemon are completed to.
func (p *program) daemonArguments() map[string]cobra.CompletionFunc {
	return map[string]cobra.CompletionFunc{
		"sesame edit":         p.completeScripts,
		"sesame explain":      inTurn(p.completeSources),
		"sesame grant":        inTurn(p.completeSources, p.completeGuards, words("10m", "1h", "8h", "1d")),
		"sesame revoke":       inTurn(p.completeGranted, p.completeGrantedPorts),
		"sesame store list":   inTurn(p.completeStoredScripts),
		"sesame store get":    inTurn(p.completeStoredScripts, p.completeStoredKeys),
		"sesame store forget": inTurn(p.completeStoredScripts, p.completeStoredKeys),
	}
}

// daemonFlags are flags of these commands.
func (p *program) daemonFlags() map[string]valueKind {
	stored := valueKind{"ADDRESS", p.completeStoredSources}
	return map[string]valueKind{
		"unguard":                      {"PORT", separated(p.completeGuards)},
		"sesame store list --source":   stored,
		"sesame store get --source":    stored,
		"sesame store forget --source": stored,
		"directory":                    {"DIR", directories()},
		"idle":                         {"TIME", words("30s", "5m", "0")},
		"listen":                       {"PATH", files("sock")},
	}
}

// asked calls a function with the daemon that the flags of a command name. When it does not answer
// in time, nothing is offered: whoever types waits.
func (p *program) asked(c *cobra.Command, begin string, question func(context.Context, *control.Client) ([]string, error)) ([]string, cobra.ShellCompDirective) {
	f := &configFlags{}
	f.file, _ = c.Flags().GetString("config")
	f.socket, _ = c.Flags().GetString("socket")
	settings, err := p.daemonSettings(c, f)
	if err != nil {
		return nil, noFiles
	}
	ctx, cancel := context.WithTimeout(context.Background(), completionLimit)
	defer cancel()
	names, err := question(ctx, control.Dial(settings.Socket))
	if err != nil {
		return nil, noFiles
	}
	return offered(names, begin), noFiles
}

// completeSources completes to the sources that have a grant or that knocked lately, the latest
// first.
func (p *program) completeSources(c *cobra.Command, _ []string, begin string) ([]string, cobra.ShellCompDirective) {
	return p.asked(c, begin, func(ctx context.Context, daemon *control.Client) ([]string, error) {
		names, err := grantedSources(ctx, daemon)
		if err != nil {
			return nil, err
		}
		var events bytes.Buffer
		if err := daemon.Events(ctx, control.EventsRequest{JSON: true}, &events); err != nil {
			return names, nil // the grants are something
		}
		return append(names, knockedLately(&events)...), nil
	})
}

// knockedLately returns the sources of events, the latest first.
func knockedLately(events *bytes.Buffer) (names []string) {
	var all []string
	lines := bufio.NewScanner(events)
	for lines.Scan() {
		var event struct {
			Source string `json:"source"`
		}
		if json.Unmarshal(lines.Bytes(), &event) == nil && event.Source != "" {
			all = append(all, event.Source)
		}
	}
	seen := map[string]bool{}
	for i := len(all) - 1; i >= 0 && len(names) < maxOffered; i-- {
		if !seen[all[i]] {
			seen[all[i]] = true
			names = append(names, all[i])
		}
	}
	return names
}

func grantedSources(ctx context.Context, daemon *control.Client) (names []string, err error) {
	grants, err := daemon.Grants(ctx)
	for i := range grants {
		names = append(names, plainSource(grants[i].Source))
	}
	return names, err
}

// plainSource returns an address without the length of its network.
func plainSource(source control.Source) string {
	if prefix := source.Prefix; prefix.IsSingleIP() {
		return prefix.Addr().String()
	}
	return source.String()
}

// completeGranted completes to the sources that have a grant.
func (p *program) completeGranted(c *cobra.Command, _ []string, begin string) ([]string, cobra.ShellCompDirective) {
	return p.asked(c, begin, grantedSources)
}

// completeGrantedPorts completes to the ports that the source before it may reach.
func (p *program) completeGrantedPorts(c *cobra.Command, args []string, begin string) ([]string, cobra.ShellCompDirective) {
	return p.asked(c, begin, func(ctx context.Context, daemon *control.Client) (names []string, err error) {
		grants, err := daemon.Grants(ctx)
		for i := range grants {
			if plainSource(grants[i].Source) == args[0] && grants[i].Argv == nil {
				names = append(names, grants[i].Port.String())
			}
		}
		return names, err
	})
}

// completeGuards completes to the ports that are guarded.
func (p *program) completeGuards(c *cobra.Command, _ []string, begin string) ([]string, cobra.ShellCompDirective) {
	return p.asked(c, begin, func(ctx context.Context, daemon *control.Client) ([]string, error) {
		status, err := daemon.Status(ctx)
		return status.Guards, err
	})
}

// completeStored completes to something of the stored values that are chosen.
func (p *program) completeStored(c *cobra.Command, begin string, chosen control.Chosen, of func(*control.StoredValue) string) ([]string, cobra.ShellCompDirective) {
	return p.asked(c, begin, func(ctx context.Context, daemon *control.Client) (names []string, err error) {
		page, err := daemon.Stored(ctx, control.StoredRequest{Chosen: chosen})
		for i := range page.Values {
			names = append(names, of(&page.Values[i]))
		}
		return names, err
	})
}

func (p *program) completeStoredScripts(c *cobra.Command, _ []string, begin string) ([]string, cobra.ShellCompDirective) {
	return p.completeStored(c, begin, control.Chosen{}, func(v *control.StoredValue) string { return string(v.Script) })
}

func (p *program) completeStoredKeys(c *cobra.Command, args []string, begin string) ([]string, cobra.ShellCompDirective) {
	return p.completeStored(c, begin, control.Chosen{Script: wire.Text(args[0])}, storedKey)
}

// storedKey returns a key as the command takes it: in quotes, when it has bytes that nobody types.
func storedKey(v *control.StoredValue) string {
	key := string(v.Key)
	if canBeOffered(key) && !strings.HasPrefix(key, `"`) {
		return key
	}
	return strconv.Quote(key)
}

func (p *program) completeStoredSources(c *cobra.Command, args []string, begin string) ([]string, cobra.ShellCompDirective) {
	var chosen control.Chosen
	if len(args) > 0 {
		chosen.Script = wire.Text(args[0])
	}
	return p.completeStored(c, begin, chosen, func(v *control.StoredValue) string {
		if !v.Source.IsValid() {
			return ""
		}
		return v.Source.String()
	})
}

// completeScripts completes to the names of scripts and tests, as sesame edit takes them.
func (p *program) completeScripts(c *cobra.Command, _ []string, begin string) ([]string, cobra.ShellCompDirective) {
	f := &scriptFlags{}
	f.path, _ = c.Flags().GetString("scripts")
	f.config, _ = c.Flags().GetString("config")
	settings, err := p.offlineConfig(c, f)
	if err != nil {
		return nil, noFiles
	}
	found, err := readScripts(&settings)
	if err != nil {
		return nil, noFiles
	}
	var names []string
	for _, name := range found.Paths() {
		if isScript(name) {
			names = append(names, strings.TrimSuffix(name, ".lua"))
		}
	}
	return offered(names, begin), noFiles
}
