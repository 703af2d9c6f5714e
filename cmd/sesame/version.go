package main

import (
	_ "embed" // for the notices
	"encoding/json"
	"fmt"
	"maps"

	"github.com/spf13/cobra"

	"sesame/daemon/build"
	"sesame/daemon/config"
	"sesame/daemon/transcript"
	"sesame/daemon/wire"
)

// notices has the licences of all libraries that the programs contain, which ask that their text
// comes with a program. It is made by make docs.
//
//go:embed notices.txt
var notices string

func (p *program) versionCommand() *cobra.Command {
	licenses, asJSON := false, false
	c := &cobra.Command{
		Use:   "version",
		Short: "Print the version, and the commit that it was built from",
		Long: `Version prints the version of this program, the commit that it was built from, and
the date of that.

With --json it also says with what it was built, for which system, and which version
of each form it writes: of transcripts, recordings, the files of the state directory,
the control socket, and the configuration. It reads all versions up to its own. The
daemon may be of another version: sesame status shows it.`,
		Example: `  sesame version
  sesame version --json | jq .formats`,
		Args: noArguments,
		RunE: func(*cobra.Command, []string) error {
			switch {
			case licenses:
				return p.print("%s", notices)
			case asJSON:
				return p.versionJSON()
			}
			return p.print("%s", versionText(build.Read()))
		},
	}
	c.Flags().BoolVar(&licenses, "licenses", false, "print the licences of the libraries that it contains")
	c.Flags().BoolVar(&asJSON, "json", false, "print the version and the forms that it writes as JSON")
	return c
}

// version returns the version of this program.
func version() string { return build.Read().Version }

// versionText returns three lines: version, commit and date.
func versionText(b build.Info) string {
	modified := ""
	if b.Modified {
		modified = ", and files that were changed since"
	}
	return fmt.Sprintf("sesame %s\ncommit %s%s\ndate   %s\n", b.Version, b.Commit, modified, b.Date)
}

// versionJSON prints what package managers and scripts want to know. Keys are only added.
func (p *program) versionJSON() error {
	text, err := json.MarshalIndent(struct {
		build.Info
		Formats map[string]int `json:"formats"`
	}{build.Read(), formats()}, "", "  ")
	if err != nil {
		return fmt.Errorf("writing the version: %w", err)
	}
	return p.print("%s\n", text)
}

// formats returns the version of each form that this program writes, by its name.
func formats() map[string]int {
	all := map[string]int{"transcript": transcript.Version, "recording": wire.Version, "configuration": config.Version}
	maps.Copy(all, liveFormats())
	return all
}
