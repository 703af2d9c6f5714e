//go:build linux

package main

import (
	"context"
	"fmt"
	"net/netip"
	"strconv"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"sesame/daemon/control"
	"sesame/daemon/transcript"
	"sesame/daemon/wire"
)

// storeFlags choose stored values.
type storeFlags struct {
	daemon configFlags
	source string
	shared bool
	json   bool
}

func (p *program) storeCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "store",
		Short: "Show what scripts have stored, and make them forget it",
		Long: `Store is about the values that scripts keep with attempt.store and sesame.store.
They are kept under the name of the script: what sesame.script says, or else its
file below the directory of scripts.

Keys are shown in quotes. A key with a byte that cannot be typed is given in the
same way: '"\x00\xfe"'.`,
		Args: noCommand,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(p.storeListCommand(), p.storeGetCommand(), p.storeForgetCommand())
	return c
}

func (f *storeFlags) add(c *cobra.Command) *cobra.Command {
	f.daemon.addSocket(c)
	c.Flags().StringVar(&f.source, "source", "", "only the values of this address")
	c.Flags().BoolVar(&f.shared, "shared", false, "only the values that all sources share")
	c.Flags().BoolVar(&f.json, "json", false, "for programs")
	return c
}

// chosen reads [SCRIPT [KEY]] and the flags.
func (f *storeFlags) chosen(c *cobra.Command, args []string) (chosen control.Chosen, err error) {
	chosen.Shared = f.shared
	if f.source != "" && f.shared {
		return chosen, &usageError{c, "--source and --shared: expected one of them"}
	}
	if f.source != "" {
		if chosen.Source, err = netip.ParseAddr(f.source); err != nil {
			return chosen, &usageError{c, fmt.Sprintf("--source %q is not an address: expected one such as 203.0.113.9", f.source)}
		}
	}
	if len(args) > 0 {
		chosen.Script = wire.Text(args[0])
	}
	if len(args) > 1 {
		key, err := parseKey(args[1])
		if err != nil {
			return chosen, &usageError{c, err.Error()}
		}
		chosen.Key = wire.Text(key)
	}
	return chosen, nil
}

// parseKey reads a key: as it is, or in quotes, as it is shown.
func parseKey(text string) (string, error) {
	key := text
	if len(text) > 1 && text[0] == '"' && text[len(text)-1] == '"' {
		var err error
		if key, err = strconv.Unquote(text); err != nil {
			return "", fmt.Errorf(`key %s: in quotes, expected a key as sesame store list shows it, such as "\x00\xfe"`, text)
		}
	}
	if key == "" {
		return "", fmt.Errorf("an empty key: expected one that sesame store list shows")
	}
	return key, nil
}

func (p *program) storeListCommand() *cobra.Command {
	f, skip, limit := &storeFlags{}, 0, 0
	c := &cobra.Command{
		Use:   "list [flags] [SCRIPT]",
		Short: "List the keys that scripts have stored",
		Long: `List shows the keys under which scripts have stored something, of which source, and
until when. It shows no values: sesame store get does.`,
		Example: `  sesame store list
  sesame store list beacon --shared
  sesame store list --source 203.0.113.9 --json`,
		Args: arguments(0, 1, "[SCRIPT], such as beacon or ssh.lua"),
		RunE: func(c *cobra.Command, args []string) error {
			chosen, err := f.chosen(c, args)
			if err != nil {
				return err
			}
			if skip < 0 || limit < 1 {
				return &usageError{c, "--skip and --limit: expected numbers from 0, and from 1"}
			}
			return p.request(c, &f.daemon, func(ctx context.Context, daemon *control.Client) error {
				page, err := storedPage(ctx, daemon, control.StoredRequest{Chosen: chosen, Skip: skip}, limit)
				if err != nil {
					return err
				}
				if more := page.Count - skip - len(page.Values); more > 0 {
					p.note("%s more: --skip %d shows them", transcript.Count(more, "value"), skip+len(page.Values))
				}
				switch {
				case len(page.Values) > 0:
				case page.Count > 0:
					p.note("--skip %d leaves out all: there are %s", skip, transcript.Count(page.Count, "value"))
				case chosen.Script != "":
					p.note("nothing is stored under the name %s; sesame store list shows all", transcript.Safe(string(chosen.Script)))
				}
				return p.printStored(page.Values, f.json)
			})
		},
	}
	c.Flags().IntVar(&skip, "skip", 0, "leave out so many at the beginning")
	c.Flags().IntVar(&limit, "limit", 100, "show so many at most")
	return f.add(c)
}

// storedPage asks for so many values, which may take several requests. A script that stores or
// removes values in the meantime may move others from one answer into the next.
func storedPage(ctx context.Context, daemon *control.Client, r control.StoredRequest, limit int) (all control.Stored, err error) {
	for {
		r.Limit = min(limit-len(all.Values), control.MaxStored)
		page, err := daemon.Stored(ctx, r)
		if err != nil {
			return all, err
		}
		all.Values, all.Count = append(all.Values, page.Values...), page.Count
		if r.Skip += len(page.Values); len(page.Values) < r.Limit || len(all.Values) == limit {
			return all, nil
		}
	}
}

// printStored prints values as a table or as JSON. The table has a column of values when they were
// asked for.
func (p *program) printStored(all []control.StoredValue, asJSON bool) error {
	switch {
	case asJSON:
		return p.writeJSON(append([]control.StoredValue{}, all...)) // [] instead of null
	case len(all) == 0:
		return p.print("no stored values\n")
	}
	table := tabwriter.NewWriter(p.stdout, 0, 0, 2, ' ', 0)
	heading := "type"
	if all[0].Value != nil {
		heading = "value"
	}
	fmt.Fprintf(table, "script\tsource\tkey\t%s\tuntil\n", heading)
	for i := range all {
		v := &all[i]
		shown := v.Type
		if v.Value != nil {
			shown = valueText(v)
		}
		fmt.Fprintf(table, "%s\t%s\t%q\t%s\t%s\n", transcript.Safe(string(v.Script)), sourceText(v), string(v.Key), shown, untilText(v))
	}
	return table.Flush()
}

func sourceText(v *control.StoredValue) string {
	if !v.Source.IsValid() {
		return "shared"
	}
	return v.Source.String()
}

// valueText returns a value as scripts write it.
func valueText(v *control.StoredValue) string {
	if v.Type == "string" {
		return strconv.Quote(string(*v.Value))
	}
	return transcript.Safe(string(*v.Value))
}

func untilText(v *control.StoredValue) string {
	if v.Until.IsZero() {
		return "for ever"
	}
	return formatTime(v.Until)
}

func (p *program) storeGetCommand() *cobra.Command {
	f := &storeFlags{}
	c := &cobra.Command{
		Use:   "get [flags] SCRIPT KEY",
		Short: "Show the values of a key",
		Long: `Get shows what a script has stored under a key: a value for each source that has
one, and the value that all sources share. With --source or --shared it prints the
one value alone. Texts are in quotes.

A value may be a secret, such as a word that was used once.

The exit status is 1 when nothing is stored there.`,
		Example: `  sesame store get ssh.lua opens
  sesame store get beacon maple-otter-3168 --shared`,
		Args: arguments(2, 2, "SCRIPT KEY, such as ssh.lua opens"),
		RunE: func(c *cobra.Command, args []string) error {
			chosen, err := f.chosen(c, args)
			if err != nil {
				return err
			}
			return p.request(c, &f.daemon, func(ctx context.Context, daemon *control.Client) error {
				page, err := storedPage(ctx, daemon, control.StoredRequest{Chosen: chosen, Values: true}, control.MaxStored)
				switch {
				case err != nil:
					return err
				case page.Count == 0:
					p.notStored(&chosen)
				case page.Count > len(page.Values):
					p.note("%s more: name a source with --source", transcript.Count(page.Count-len(page.Values), "value"))
				}
				if f.json || len(page.Values) > 0 && f.source == "" && !f.shared {
					return p.printStored(page.Values, f.json)
				}
				if len(page.Values) == 0 {
					return nil
				}
				return p.print("%s\n", valueText(&page.Values[0]))
			})
		},
	}
	return f.add(c)
}

// notStored is the answer no.
func (p *program) notStored(chosen *control.Chosen) {
	what := "nothing of that"
	if chosen.Key == "" {
		what = "nothing"
	}
	p.note("%s is stored by %s; sesame store list shows what is", what, transcript.Safe(string(chosen.Script)))
	p.status = answerNo
}

func (p *program) storeForgetCommand() *cobra.Command {
	f, all := &storeFlags{}, false
	c := &cobra.Command{
		Use:   "forget [flags] SCRIPT [KEY]",
		Short: "Make a script forget what it has stored",
		Long: `Forget removes stored values: those of a key, of a source, or with --all all that a
script has stored. It returns when the disk has that.

Scripts often store what must not happen twice, such as the words that were used.
Whoever has such a word can use it again when it is forgotten.

The exit status is 1 when there was nothing to forget.`,
		Example: `  sesame store forget ssh.lua --source 203.0.113.9
  sesame store forget beacon maple-otter-3168
  sesame store forget beacon --all`,
		Args: arguments(1, 2, "SCRIPT [KEY], such as ssh.lua opens"),
		RunE: func(c *cobra.Command, args []string) error {
			chosen, err := f.chosen(c, args)
			part := len(args) > 1 || f.source != "" || f.shared
			switch {
			case err != nil:
				return err
			case !part && !all:
				return &usageError{c, "neither a key nor a source: to forget all that " + args[0] + " has stored, say --all"}
			case part && all:
				return &usageError{c, "--all forgets all that a script has stored: leave it out, or the key, --source and --shared"}
			}
			return p.request(c, &f.daemon, func(ctx context.Context, daemon *control.Client) error {
				forgotten, err := daemon.Forget(ctx, control.ForgetRequest{Chosen: chosen, All: all})
				if err != nil {
					return err
				}
				return p.printForgotten(&chosen, &forgotten, f.json)
			})
		},
	}
	c.Flags().BoolVar(&all, "all", false, "forget all that the script has stored")
	return f.add(c)
}

func (p *program) printForgotten(chosen *control.Chosen, forgotten *control.Forgotten, asJSON bool) error {
	if forgotten.Count == 0 {
		p.notStored(chosen)
	}
	if forgotten.Unwritten != "" {
		p.warn("the disk does not have that yet, and a crash would bring the values back: %s", forgotten.Unwritten)
	}
	if asJSON {
		return p.writeJSON(forgotten)
	}
	if forgotten.Count == 0 {
		return nil
	}
	return p.print("forgot %s of %s\n", transcript.Count(forgotten.Count, "value"), transcript.Safe(string(chosen.Script)))
}
