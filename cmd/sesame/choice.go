package main

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"sesame/daemon/packet"
	"sesame/daemon/spelling"
	"sesame/scripting"
)

// choiceFlags limit what is told, to some doors and some sources.
type choiceFlags struct {
	doors   []string
	sources []string
	parsed  []netip.Prefix // of sources
}

// add adds the flags to a command that tells something of doors and sources.
func (f *choiceFlags) add(c *cobra.Command, what string) {
	c.Flags().StringSliceVar(&f.doors, "door", nil, "only "+what+" of these doors (default: all)")
	c.Flags().StringSliceVar(&f.sources, "source", nil, "only "+what+" of these addresses or networks (default: all)")
}

func (f *choiceFlags) check(c *cobra.Command) error {
	for name, values := range map[string][]string{"door": f.doors, "source": f.sources} {
		if c.Flags().Changed(name) && len(values) == 0 {
			return &usageError{c, "--" + name + " is empty: name one, or leave it out for all"}
		}
	}
	for _, text := range f.sources {
		prefix, err := packet.ParseNetwork(strings.TrimSpace(text))
		if err != nil {
			return &usageError{c, fmt.Sprintf("--source %q: expected an address such as 203.0.113.9, or a network such as 203.0.113.0/24", text)}
		}
		f.parsed = append(f.parsed, prefix)
	}
	return nil
}

// checkDoors returns an error for a door that the scripts do not have.
func (f *choiceFlags) checkDoors(c *cobra.Command, set *scripting.Set) error {
	var names []string
	for _, d := range set.Engine.Doors {
		names = append(names, d.Name)
	}
	for _, name := range f.doors {
		if !slices.Contains(names, name) {
			return &usageError{c, fmt.Sprintf("--door %q: the scripts have no such door%s", name, spelling.DidYouMean(name, names))}
		}
	}
	return nil
}

// given names the flags that were given.
func (f *choiceFlags) given() string {
	var names []string
	if f.doors != nil {
		names = append(names, "--door")
	}
	if f.parsed != nil {
		names = append(names, "--source")
	}
	return strings.Join(names, " and ")
}

// has reports whether a door and a source are chosen.
func (f *choiceFlags) has(door string, source netip.Addr) bool {
	return (f.doors == nil || slices.Contains(f.doors, door)) &&
		(f.parsed == nil || slices.ContainsFunc(f.parsed, func(n netip.Prefix) bool { return n.Contains(source) }))
}
