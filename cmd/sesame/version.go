package main

import (
	"cmp"
	_ "embed" // for the notices
	"fmt"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// notices has the licences of all libraries that the programs contain, which ask that their text
// comes with a program. It is made by make docs.
//
//go:embed notices.txt
var notices string

func (p *program) versionCommand() *cobra.Command {
	licenses := false
	c := &cobra.Command{
		Use:   "version",
		Short: "Print the version, and the commit that it was built from",
		Args:  noArguments,
		RunE: func(*cobra.Command, []string) error {
			if licenses {
				return p.print("%s", notices)
			}
			return p.print("%s", readBuild(debug.ReadBuildInfo()))
		},
	}
	c.Flags().BoolVar(&licenses, "licenses", false, "print the licences of the libraries that it contains")
	return c
}

// version returns the version that the Go tool recorded in the program.
func version() string { return readBuild(debug.ReadBuildInfo()).version }

// A build describes what a program was built from. A program that was built outside a git
// checkout has no commit.
type build struct {
	version  string // of a release, or made of the commit
	commit   string // 40 hexadecimal digits
	date     string // of the commit, as RFC 3339 has it
	modified bool   // files differed from the commit
}

// readBuild reads what [debug.ReadBuildInfo] returns. What it lacks is "unknown".
func readBuild(info *debug.BuildInfo, ok bool) build {
	if !ok {
		info = &debug.BuildInfo{}
	}
	settings := map[string]string{}
	for _, s := range info.Settings {
		settings[s.Key] = s.Value
	}
	return build{
		version: cmp.Or(info.Main.Version, "(unknown)"), commit: cmp.Or(settings["vcs.revision"], "unknown"),
		date: cmp.Or(settings["vcs.time"], "unknown"), modified: settings["vcs.modified"] == "true",
	}
}

// String returns three lines: version, commit and date.
func (b build) String() string {
	modified := ""
	if b.modified {
		modified = ", and files that were changed since"
	}
	return fmt.Sprintf("sesame %s\ncommit %s%s\ndate   %s\n", b.version, b.commit, modified, b.date)
}
