package main

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"
)

// TestEveryCommandHasAnExample holds that --help and the manual show how each command is called.
// The client prints its own help.
func TestEveryCommandHasAnExample(t *testing.T) {
	p := &program{}
	eachCommand(p.root(), func(c *cobra.Command) {
		if c.Hidden || c.HasSubCommands() || c.Name() == "help" || c.DisableFlagParsing {
			return
		}
		if !strings.Contains(c.Example, c.CommandPath()) {
			t.Errorf("%s has no example", c.CommandPath())
		}
		for line := range strings.Lines(c.Example) {
			if !strings.HasPrefix(line, "  ") {
				t.Errorf("%s: an example begins with two spaces: %s", c.CommandPath(), line)
			}
		}
	})
}

// TestUsage holds the lists of --help.
func TestUsage(t *testing.T) {
	p := &program{}
	root := &cobra.Command{Use: "sesame"}
	c := &cobra.Command{Use: "x [flags] FILE", Short: "Do x", Example: "  sesame x y\n", Run: func(*cobra.Command, []string) {}}
	c.Flags().StringP("config", "c", "", "a file")
	c.Flags().Int("limit", 100, strings.Repeat("word ", 20)+"end")
	c.Flags().StringSlice("order", []string{"up", "down"}, "orders")
	c.Flags().Bool("json", false, "for programs")
	c.Flags().Bool("odds", false, "hidden")
	_ = c.Flags().MarkHidden("odds")
	root.AddCommand(c, &cobra.Command{Use: "longer", Short: "Do more", Run: func(*cobra.Command, []string) {}},
		&cobra.Command{Use: "secret", Hidden: true, Run: func(*cobra.Command, []string) {}})
	root.SetUsageFunc(p.usage)
	for _, tt := range []struct {
		command *cobra.Command
		want    string
	}{
		{c, `Usage:
  sesame x [flags] FILE

Examples:
  sesame x y

Flags:
  -c, --config FILE  a file
      --json         for programs
      --limit N      word word word word word word word word word word word word word word word word
                     word word word word end (default 100)
      --order ORDER  orders (default up,down)
`},
		{root, `Usage:
  sesame COMMAND

Commands:
  longer       Do more
  x            Do x

Flags:

Run "sesame COMMAND --help" for what a command takes.
`},
	} {
		var out bytes.Buffer
		tt.command.SetOut(&out)
		if err := tt.command.Usage(); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(tt.want, out.String()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.command.Name(), diff)
		}
	}
}
