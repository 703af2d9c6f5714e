package main

import (
	_ "embed" // for the completions
	"fmt"

	"github.com/spf13/cobra"
)

// The completions are our own, not those of cobra: these evaluate the line that a person types, so
// a name of a door such as $(command), once completed, would run at the next Tab in fish, and in
// bash when several doors begin alike.
var (
	//go:embed shells/sesame.bash
	bashCompletion string
	//go:embed shells/_sesame
	zshCompletion string
	//go:embed shells/sesame.fish
	fishCompletion string
)

// completionFiles returns the files that shells look for, by their paths below a prefix such as
// /usr/local. The client has both of its names.
func completionFiles() map[string]string {
	all := map[string]string{}
	add := func(command, bash, zsh, fish string) {
		all["share/bash-completion/completions/"+command] = bash
		all["share/zsh/site-functions/_"+command] = zsh
		all["share/fish/vendor_completions.d/"+command+".fish"] = fish
	}
	add("sesame", bashCompletion, zshCompletion, fishCompletion)
	for _, name := range []string{packagedKnock, builtKnock} {
		add(name, knockBash(name), knockZsh(name), knockFish(name))
	}
	return all
}

func (p *program) completionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "completion bash|zsh|fish",
		Short: "Print what a shell needs to complete commands, flags, doors and sources",
		Long: `Completion prints a script for a shell. With it, Tab completes commands and flags, and
what they take: doors and options of the scripts, sources, guarded ports and stored
keys of the daemon, captures, and interfaces. What the daemon knows is completed for
those who may ask it, most often root alone, and only while it answers.

A package installs the scripts, and so does "sesame manual /usr/local". Without them,
for one session:

  source <(sesame completion bash)
  source <(sesame completion zsh)
  sesame completion fish | source

For all sessions of yours, write it where the shell looks:

  sesame completion bash > ~/.local/share/bash-completion/completions/sesame
  sesame completion fish > ~/.config/fish/completions/sesame.fish`,
		Example: `  source <(sesame completion bash)`,
		Args:    arguments(1, 1, "the name of a shell: bash, zsh or fish"),
		RunE: func(c *cobra.Command, args []string) error {
			text := map[string]string{"bash": bashCompletion, "zsh": zshCompletion, "fish": fishCompletion}[args[0]]
			if text == "" {
				return &usageError{c, fmt.Sprintf("no completion for %q: expected bash, zsh or fish", args[0])}
			}
			return p.print("%s", text)
		},
	}
}
