package main

import (
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// completionScripts returns the files that shells read, by the names that they expect.
func completionScripts(root *cobra.Command) map[string]string {
	var bash, zsh, fish strings.Builder
	_ = root.GenBashCompletionV2(&bash, true) // a strings.Builder returns no error
	_ = root.GenZshCompletion(&zsh)
	_ = root.GenFishCompletion(&fish, true)
	return map[string]string{"sesame.bash": bash.String(), "_sesame": zsh.String(), "sesame.fish": fish.String()}
}

// valueName returns what stands for the value of a flag; "" when it takes none.
func valueName(_ *cobra.Command, f *pflag.Flag) string {
	if f.Value.Type() == "bool" {
		return ""
	}
	return "VALUE"
}
