package main

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"sesame/scripting/reference"
)

func (p *program) docCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "doc [NAME]",
		Short: "Explain a function or an option of scripts",
		Long: `Doc prints the entry of the reference for a name that scripts use: what it does,
its options, and an example. Without a name it lists what there is.

A name may lack its beginning. It finds all that it may mean.`,
		Example: `  sesame doc
  sesame doc sesame.door
  sesame doc attempt:allow
  sesame doc ttl`,
		Args: arguments(0, 1, "at most one name"),
		ValidArgsFunction: func(_ *cobra.Command, args []string, begin string) ([]string, cobra.ShellCompDirective) {
			if len(args) > 0 {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			return completed(names().Names(), begin), cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return p.print("%s", names().Overview())
			}
			return p.doc(args[0])
		},
	}
}

// names returns the reference of all that scripts and their tests can name.
func names() *reference.Reference { return reference.New(reference.Whole()) }

// doc prints the entries that a name means.
func (p *program) doc(name string) error {
	all := names()
	entries := all.Find(name)
	if len(entries) == 0 {
		return fmt.Errorf("the reference has no %q%s", name, cmp.Or(all.Nearest(name), ": run sesame doc for a list"))
	}
	for i, e := range entries {
		between := "\n"
		if i == 0 {
			between = ""
		}
		if err := p.print("%s%s", between, e); err != nil {
			return err
		}
	}
	return nil
}

// completed returns the names that begin with a text, for completion in a shell. A text with a
// colon, as methods are written, gets names with a colon.
func completed(names []string, begin string) []string {
	object, method, colon := strings.Cut(begin, ":")
	var found []string
	for _, name := range names {
		if colon {
			of, rest, _ := strings.Cut(name, ".")
			if of == object && strings.HasPrefix(rest, method) && rest != "" {
				found = append(found, of+":"+rest)
			}
		} else if strings.HasPrefix(name, begin) {
			found = append(found, name)
		}
	}
	return found
}
