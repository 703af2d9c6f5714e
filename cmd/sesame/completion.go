package main

import (
	"strings"
	"unicode"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// noFiles is what shells get with names: what else is there are no files.
const noFiles = cobra.ShellCompDirectiveNoFileComp

// maxOffered bounds the sources of events and captures that are offered. Nobody looks through more.
const maxOffered = 50

// A valueKind is what a flag takes: the name that stands for it in --help and in the manual, and
// what shells complete it to.
type valueKind struct {
	name     string
	complete cobra.CompletionFunc
}

// describeValues tells shells what the flags and arguments of all commands are completed to. Flags
// that had completions before keep them.
func (p *program) describeValues(root *cobra.Command) {
	flags, arguments := p.flagKinds(), p.argumentKinds()
	eachCommand(root, func(c *cobra.Command) {
		c.Flags().VisitAll(func(f *pflag.Flag) {
			if _, done := c.GetFlagCompletionFunc(f.Name); done {
				return
			}
			if kind, ok := kindOf(flags, c, f); ok && kind.complete != nil {
				_ = c.RegisterFlagCompletionFunc(f.Name, kind.complete) // it is there, and has none
			}
		})
		switch complete, ok := arguments[c.CommandPath()]; {
		case ok:
			c.ValidArgsFunction = complete
		case !takesArguments(c) && c.ValidArgsFunction == nil && !c.HasSubCommands():
			c.ValidArgsFunction = cobra.NoFileCompletions
		}
	})
}

// eachCommand calls a function for a command and all below it.
func eachCommand(c *cobra.Command, call func(*cobra.Command)) {
	call(c)
	for _, below := range c.Commands() {
		eachCommand(below, call)
	}
}

// takesArguments reports whether the line of usage has arguments.
func takesArguments(c *cobra.Command) bool {
	_, rest, _ := strings.Cut(c.Use, " ")
	return strings.TrimSpace(strings.TrimPrefix(rest, "[flags]")) != ""
}

// kindOf returns what a flag takes. An entry of one command comes before that of all.
func kindOf(kinds map[string]valueKind, c *cobra.Command, f *pflag.Flag) (valueKind, bool) {
	kind, ok := kinds[c.CommandPath()+" --"+f.Name]
	if !ok {
		kind, ok = kinds[f.Name]
	}
	return kind, ok
}

// valueName returns what stands for the value of a flag; "" when it takes none.
func (p *program) valueName(c *cobra.Command, f *pflag.Flag) string {
	if f.Value.Type() == "bool" {
		return ""
	}
	kind, _ := kindOf(p.flagKinds(), c, f)
	return kind.name
}

// words completes to a few words.
func words(all ...string) cobra.CompletionFunc {
	return func(_ *cobra.Command, _ []string, begin string) ([]string, cobra.ShellCompDirective) {
		return offered(all, begin), noFiles
	}
}

// files completes to files with one of the extensions, and to directories; without any, to all
// files.
func files(extensions ...string) cobra.CompletionFunc {
	if extensions == nil {
		return cobra.FixedCompletions(nil, cobra.ShellCompDirectiveDefault)
	}
	return cobra.FixedCompletions(extensions, cobra.ShellCompDirectiveFilterFileExt)
}

// directories completes to directories.
func directories() cobra.CompletionFunc {
	return cobra.FixedCompletions(nil, cobra.ShellCompDirectiveFilterDirs)
}

// captures are files that are replayed.
func captures() cobra.CompletionFunc { return files("pcap", "pcapng", "cap", "gz", "zst") }

// scriptPaths are directories of scripts, and single scripts.
func scriptPaths() cobra.CompletionFunc { return files("lua") }

// inTurn completes each argument as the function of its place does, and what follows to nothing.
func inTurn(each ...cobra.CompletionFunc) cobra.CompletionFunc {
	return func(c *cobra.Command, args []string, begin string) ([]string, cobra.ShellCompDirective) {
		if len(args) >= len(each) {
			return nil, noFiles
		}
		return each[len(args)](c, args, begin)
	}
}

// separated completes the last entry of a list with commas. What the list has is not offered again.
func separated(complete cobra.CompletionFunc) cobra.CompletionFunc {
	return func(c *cobra.Command, args []string, begin string) ([]string, cobra.ShellCompDirective) {
		at := strings.LastIndex(begin, ",") + 1
		found, directive := complete(c, args, begin[at:])
		chosen := map[string]bool{}
		for entry := range strings.SplitSeq(begin[:at], ",") {
			chosen[entry] = true
		}
		var all []string
		for _, name := range found {
			word, _, _ := strings.Cut(name, "\t")
			if !chosen[word] && !strings.Contains(word, ",") {
				all = append(all, begin[:at]+name)
			}
		}
		return all, directive
	}
}

// offered returns the names that begin with a text, each once. Names may be what scripts or others
// wrote: one that a shell could not insert as it is, since it has a character that ends a line or a
// description, is left out.
func offered(names []string, begin string) []string {
	var all []string
	seen := map[string]bool{}
	for _, name := range names {
		if seen[name] || !strings.HasPrefix(name, begin) || !canBeOffered(name) {
			continue
		}
		seen[name] = true
		all = append(all, name)
	}
	return all
}

// helpMarker begins what shells of cobra print instead of offering it.
const helpMarker = "_activeHelp_"

func canBeOffered(name string) bool {
	printable := func(r rune) bool { return unicode.IsPrint(r) && r != unicode.ReplacementChar }
	return name != "" && name == strings.TrimSpace(name) && !strings.HasPrefix(name, "-") && !strings.HasPrefix(name, helpMarker) &&
		strings.IndexFunc(name, func(r rune) bool { return !printable(r) }) < 0
}
