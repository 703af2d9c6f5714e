package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"sesame/cmd/knock/client"
	"sesame/cmd/sesame/manual"
	"sesame/daemon/config"
	"sesame/docs"
	"sesame/scripting"
	"sesame/scripting/reference"
)

// overview returns sesame(8).
func (w *manualWriter) overview(root *cobra.Command) *manual.Page {
	p := w.page("sesame", section, root.Short)
	p.Heading("SYNOPSIS")
	p.Synopsis("sesame COMMAND [ARGUMENT]...")
	p.Heading("DESCRIPTION")
	p.Prose(root.Long)
	p.Heading("COMMANDS")
	for _, c := range root.Commands() {
		if hasPage(c) {
			p.Item(manual.Bold(pageName(c))+"(8)", sentence(c.Short))
		}
	}
	p.Item(manual.Bold("sesame-knock")+"(1)", "Knock at the ports of a host.")
	p.Heading("EXIT STATUS")
	p.Para("The exit status of each command is 0 for yes or done, 1 when the answer is no, and 2 when the command failed.")
	writeEnvironment(p, root)
	writeFiles(p, root)
	p.Heading("EXAMPLES")
	p.Para("A first door, and its tests. The guard closes nothing yet:")
	p.Literal("sudo sesame init /etc/sesame/scripts\nsudo sesame test -s /etc/sesame/scripts\nsudo sesame check -s /etc/sesame/scripts\nsudo sesame run --observe")
	p.Para("The guard, now and at each boot:")
	p.Literal("sudo systemctl enable --now sesame")
	p.Heading("SEE ALSO")
	p.Para("sesame.toml(5), sesame-scripts(7), sesame-knock(1), nft(8)")
	return p
}

// settings returns sesame.toml(5): the page of the documentation, with its keys from the table.
func (w *manualWriter) settings() *manual.Page {
	p := w.page("sesame.toml", 5, "settings of the Sesame daemon")
	p.Heading("DESCRIPTION")
	p.Markdown(docs.Configuration, func(directive string) {
		table := strings.Trim(strings.TrimPrefix(directive, "keys "), `"`)
		for _, k := range config.Keys() {
			if before, name, found := strings.Cut("."+k.Name, "."+table+"."); table == "" && !strings.Contains(k.Name, ".") {
				writeKey(p, k, k.Name)
			} else if table != "" && found && before == "" {
				writeKey(p, k, name)
			}
		}
	})
	p.Heading("FILES")
	p.Item(manual.Bold(config.Path), "The settings of the daemon that the system starts.")
	writeDocumentation(p)
	p.Heading("SEE ALSO")
	p.Para("sesame(8), sesame-run(8), sesame-scripts(7)")
	return p
}

// writeDocumentation writes where the pages are that one of the documentation names.
func writeDocumentation(p *manual.Page) {
	p.Item(manual.Bold("/usr/share/doc/sesame/docs"), "The files that this page names with the ending .md, where a package installed them.")
}

func writeKey(p *manual.Page, k config.Key, name string) {
	what := k.Type
	if k.Default != "" {
		what += fmt.Sprintf("; default: `%s`", k.Default)
	}
	p.Item(manual.Bold(name), what)
	p.Indent(7)
	p.Para(k.Doc)
	p.Para(fmt.Sprintf("Example: `%s = %s`", name, k.Example))
	p.Outdent()
}

// scripts returns sesame-scripts(7): the page of the documentation, with its reference from the
// table of names.
func (w *manualWriter) scripts() *manual.Page {
	p := w.page("sesame-scripts", 7, "the rules of Sesame, in Lua")
	p.Heading("DESCRIPTION")
	objects := reference.Objects(reference.Whole())
	before, rest, _ := strings.Cut(docs.Scripts, "{{range objects}}")
	_, after, _ := strings.Cut(rest, "{{- end}}")
	p.Markdown(before, func(string) {})
	for _, o := range objects {
		p.Heading(o.Name)
		p.Para(o.Doc)
		writeMembers(p, o, func(m scripting.Member) bool { return !reference.Shared(objects, m) })
	}
	p.Markdown(after, func(string) { // all objects that functions are given have these
		for _, o := range objects {
			if o.Name == "attempt" {
				writeMembers(p, o, func(m scripting.Member) bool { return reference.Shared(objects, m) })
			}
		}
	})
	p.Heading("FILES")
	p.Item(manual.Bold("/etc/sesame/scripts"), "The scripts of the daemon that the system starts.")
	p.Item(manual.Bold("/usr/share/doc/sesame/scripts"), "Scripts to begin from, where a package installed them.")
	writeDocumentation(p)
	p.Heading("SEE ALSO")
	p.Para("sesame(8), sesame-check(8), sesame-test(8), sesame-simulate(8), sesame-doc(8), sesame.toml(5)")
	return p
}

// writeMembers writes some members of an object.
func writeMembers(p *manual.Page, o scripting.Object, which func(scripting.Member) bool) {
	for _, m := range o.Members {
		if !which(m) {
			continue
		}
		name, space := reference.Spelled(o.Name, m), " "
		if strings.HasPrefix(m.Type, "(") {
			space = ""
		}
		p.Item(manual.Bold(name)+space+manual.Plain(m.Type), m.Doc)
		if m.Example == "" && len(m.Options) == 0 {
			continue
		}
		p.Indent(7)
		if m.Example != "" {
			p.Literal(m.Example)
		}
		for _, option := range m.Options {
			p.Item(manual.Bold(option.Name)+" ("+manual.Plain(reference.Value(option))+")", option.Doc)
		}
		p.Outdent()
	}
}

// client returns the page of the program knock, by one of its names.
func (w *manualWriter) client(name string) *manual.Page {
	p := w.page(name, 1, client.Short)
	p.Heading("SYNOPSIS")
	p.Synopsis(name + " [flags] HOST KNOCK...")
	p.Synopsis("sesame knock [flags] HOST KNOCK...")
	p.Heading("DESCRIPTION")
	p.Prose(client.Description)
	p.Para("The program has the name `sesame-knock` where a package installed it, and `knock` where it was built from source. `sesame knock` is the same.")
	p.Heading("OPTIONS")
	for _, f := range client.Flags() {
		tag := manual.Bold("--" + f.Name)
		if f.Letter != 0 {
			tag = manual.Bold("-"+string(f.Letter)) + ", " + tag
		}
		if f.Value != "" {
			tag += " " + manual.Italic(f.Value)
		}
		text := sentence(f.Text)
		if f.Name == "help" {
			text = summary
		}
		p.Item(tag, text)
	}
	p.Heading("EXIT STATUS")
	p.Para(client.Statuses)
	p.Heading("EXAMPLES")
	p.Literal(strings.ReplaceAll(client.Examples, "%s", name))
	p.Heading("SEE ALSO")
	p.Para("sesame(8), sesame-explain(8)")
	return p
}
