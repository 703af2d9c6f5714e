package main

import (
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"sesame/cmd/sesame/manual"
	"sesame/daemon/config"
)

// A dependent is a line about a file or a variable, in the pages of the commands that it concerns.
// That of sesame has all.
type dependent struct {
	flags string // names of flags, and directories that its texts name: a command has one of them
	name  string
	text  string
}

// manualFiles are the files that a person may look for.
func manualFiles() []dependent {
	return []dependent{
		{"config", config.Path, "the settings: sesame.toml(5). -c names another file."},
		{"scripts from", "/etc/sesame/scripts", "the doors and their tests: sesame-scripts(7)."},
		{"socket", "/run/sesame/sesame.sock", "the socket of the daemon."},
		{"state", "/var/lib/sesame", "what must survive a restart: grants, stored values, the last good scripts."},
		{"action", "/var/lib/sesame/audit.log", "the audit log, unless log.audit names another file: a line of JSON for each request. audit.log.1 is the one before it."},
		{"settle", "/var/lib/sesame-helper", "the pending undo commands, for root alone."},
		{"settle", "/run/sesame-helper.sock", "the socket of the helper, which runs commands as root."},
		{"docs/ pcaps/", "/usr/share/doc/sesame", "the documentation in docs, and scripts and captures to try in scripts and pcaps, where a package installed them. Else they are in the source."},
	}
}

// manualVariables are the variables of the environment.
func manualVariables() []dependent {
	return []dependent{
		{"config", configVariable, "the configuration file, when -c names none. sudo drops it, and the units do not set it."},
		{"socket", socketVariable, "the socket of the daemon, when --socket names none. sudo drops it, too."},
		{"color", "NO_COLOR", "when it is not empty, the output has no colours."},
		{"discard", "VISUAL, EDITOR", "the editor."},
		{"me", "SSH_CONNECTION", "the address from which you are logged in, as sshd sets it."},
	}
}

// manualSignals are those of the daemon.
func manualSignals() []dependent {
	const run = "pprof" // a flag of sesame run alone
	return []dependent{
		{run, "SIGTERM, SIGINT", "the end: pending undos run, and guarded ports stay guarded."},
		{run, "SIGHUP", "the scripts are read again, as by sesame-reload(8)."},
		{run, "SIGUSR1", "log files are opened anew."},
		{run, "SIGUSR2", "the end, for a restart: pending undos run at their time, by the next start."},
	}
}

// has reports whether a command, or one below it, has one of the flags, or names a directory.
func (d *dependent) has(c *cobra.Command) bool {
	return slices.ContainsFunc(append([]*cobra.Command{c}, visible(c)...), func(one *cobra.Command) bool {
		return slices.ContainsFunc(strings.Fields(d.flags), func(name string) bool {
			return one.Flags().Lookup(name) != nil || strings.HasSuffix(name, "/") && strings.Contains(one.Long+one.Example, name)
		})
	})
}

// writeDependents writes a section of the lines that concern a command. The page of sesame has all.
func writeDependents(p *manual.Page, c *cobra.Command, heading string, all []dependent) {
	first := true
	for _, d := range all {
		if c.HasParent() && !d.has(c) {
			continue
		}
		if first {
			p.Heading(heading)
			first = false
		}
		p.Item(manual.Bold(d.name), sentence(d.text))
	}
}

func writeEnvironment(p *manual.Page, c *cobra.Command) {
	writeDependents(p, c, "ENVIRONMENT", manualVariables())
}

func writeFiles(p *manual.Page, c *cobra.Command) {
	writeDependents(p, c, "FILES", manualFiles())
}

// writeSeeAlso names the pages beside that of a command.
func writeSeeAlso(p *manual.Page, c *cobra.Command) {
	see := []string{"sesame(8)"}
	for _, d := range []dependent{
		{"config", "sesame.toml(5)", ""}, {"scripts from guards", "sesame-scripts(7)", ""}, {"knock trial", "sesame-knock(1)", ""},
	} {
		if d.has(c) {
			see = append(see, d.name)
		}
	}
	p.Heading("SEE ALSO")
	p.Para(strings.Join(see, ", "))
}
