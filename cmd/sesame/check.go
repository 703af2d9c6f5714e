package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"sesame/daemon/config"
	"sesame/daemon/executable"
	"sesame/daemon/geo"
	"sesame/daemon/transcript"
	"sesame/daemon/writable"
	"sesame/scripting"
	"sesame/scripting/lint"
	"sesame/scripting/source"
)

// checkFlags are the flags of sesame check.
type checkFlags struct {
	scripts scriptFlags
	geo     geoFlags
	format  string
	strict  bool
	effects bool
	guess   bool
}

func (p *program) checkCommand() *cobra.Command {
	f := &checkFlags{}
	c := &cobra.Command{
		Use:   "check [flags]",
		Short: "Load the scripts, and print what is wrong or unwise in them",
		Long: `Check loads the scripts as the daemon would, and reports what is allowed but
unwise. To accept a finding, write a comment with the reason on its line or on
the line above:

  -- sesame:allow short only reachable from the office

With a configuration of this machine, check looks at the machine too: whether
services listen on ports of knocks, whether the machine uses such ports for its
own connections, whether its firewall may drop what a door opens, whether the sets
that set mode names are there, whether a guarded port is only a container's,
whether SYN cookies outlive a grant, and whether the programs of commands can be
run.

Check warns of files that users other than root, or than you, can change: a daemon of
this machine would hold the scripts. With a configuration of this machine it looks at
the configuration, the programs of commands and the databases that scripts ask too. It
also warns of captures and golden transcripts of tests: who changes these can let a
bad edit pass its test.

With --geo, or with a configuration of this machine, check reads the databases
too. It reports facts that the scripts ask for and no database has, and databases
that are older than 60 days.

With --guess it prints for each door how many sequences of its length exist,
which a guess must choose from, and how often scans in random order open it: of
the smallest range that has all of its knocks, which is the worst, and of all
ports. A scan knocks on all ports of the door, so only the order is left to
chance in which it comes to them and to the tripwires.

The exit status is 0 when the scripts load, with --strict 1 when there are
findings, and 2 when the scripts do not load, or when the configuration names
sets of the firewall that are not there or do not fit.`,
		Example: `  sesame check -s scripts
  sesame check -s scripts --guess --effects
  sesame check -c /etc/sesame/sesame.toml --strict`,
		Args: noArguments,
		RunE: func(c *cobra.Command, _ []string) error { return p.check(c, f) },
	}
	f.scripts.add(c)
	f.geo.add(c)
	c.Flags().StringVar(&f.format, "format", "text", `"text" for people, "json" for programs`)
	c.Flags().BoolVar(&f.strict, "strict", false, "exit with 1 when there are findings")
	c.Flags().BoolVar(&f.effects, "effects", false, "list all that the scripts can do to the machine")
	c.Flags().BoolVar(&f.guess, "guess", false, "print how often guesses and scans open each door")
	c.Flags().BoolVar(&f.guess, "odds", false, "the name that --guess had before")
	_ = c.Flags().MarkHidden("odds")
	return c
}

// check loads the scripts and prints the findings. Findings alone give exit status 0, since a
// script may be meant as it is; --strict is for continuous integration.
func (p *program) check(c *cobra.Command, f *checkFlags) error {
	if err := errors.Join(oneOf(c, "format", f.format, "text", "json"), f.geo.check(c)); err != nil {
		return err
	}
	set, settings, err := p.loadOffline(c, &f.scripts)
	if _, usage := errors.AsType[*usageError](err); err != nil && !usage && f.format == "json" {
		// The scripts did not load. An error of the writing below would hide that.
		_ = p.writeJSON(problemsOf(err))
	}
	if err != nil {
		return err
	}
	defer set.Close()
	databases, err := p.checkedDatabases(f, &settings, set)
	if err != nil {
		return err
	}
	r := checked{Doors: len(set.Engine.Doors), Files: ownFiles(set), Findings: append([]lint.Finding{}, p.findings(set, &settings, databases)...)}
	if !settings.AllowWritable {
		r.Writable = writableFiles(&settings, set, f.geo.files)
		r.WritableOfTests = writableOfTests(c.Context(), &settings)
	}
	if f.effects {
		r.Effects = append([]lint.Script{}, lint.Effects(set)...)
	}
	if f.guess {
		r.Guesses = guesses(lint.Guesses(set))
	}
	if f.strict && len(r.Findings) > 0 {
		p.status = answerNo
	}
	var unfit []error
	if settings.File != "" {
		unfit = p.checkSets(&settings)
	}
	if len(unfit) > 0 {
		p.status = couldNot
	}
	if f.format == "json" {
		for _, err := range unfit {
			r.Problems = append(r.Problems, problem{File: settings.File, Message: err.Error()})
		}
		return p.writeJSON(r)
	}
	p.warnOfWritable(r.Writable)
	p.warnOfWritableTests(r.WritableOfTests)
	if settings.File != "" {
		p.checkMachine(&settings, set)
	}
	for _, err := range unfit {
		p.complain(err)
	}
	return r.writeText(p)
}

// ownFiles counts the files of a set, without the zone files: nobody wrote those.
func ownFiles(set *scripting.Set) int {
	n := 0
	for _, file := range set.Files {
		if !file.Zone {
			n++
		}
	}
	return n
}

// checkedDatabases returns the databases to look at; nil: none are known, as for scripts that are
// to run on another machine.
func (p *program) checkedDatabases(f *checkFlags, settings *config.Config, set *scripting.Set) (geo.Databases, error) {
	switch {
	case len(f.geo.files) > 0:
		databases, err := f.geo.read(settings, set)
		p.noteDatabases(databases, nil)
		return databases, err
	case settings.File != "":
		return append(geo.Databases{}, p.machineDatabases(settings, set.Asks)...), nil
	}
	return nil, nil
}

// findings returns the findings of a set. With a configuration of this machine they include
// those about its ports and services, and with databases those about them.
func (p *program) findings(set *scripting.Set, settings *config.Config, databases geo.Databases) []lint.Finding {
	var have *lint.Databases
	if databases != nil {
		have = having(databases)
	}
	old := oldDatabases(databases, now())
	if settings.File == "" {
		return append(lint.CheckOn(set, nil, have, now()), old...)
	}
	machine, err := lint.ReadMachine(os.DirFS("/proc"))
	if err != nil {
		p.note("not all ports of this machine were looked at: %v", err)
	}
	p.readTranslations(settings, machine)
	machine.Unrunnable = executable.Problem
	machine.Interfaces = len(settings.Interfaces) > 0
	machine.SetMode = settings.Firewall.Mode == "set"
	machine.Set4, machine.Set6 = settings.Firewall.Set4, settings.Firewall.Set6
	machine.Lines = settings.Log.Knockd.Text != "" || settings.Log.KnockdSyslog
	return append(lint.CheckOn(set, machine, have, now()), old...)
}

// checked is the result of a check, as it is written as JSON.
type checked struct {
	Files    int            `json:"files"`
	Doors    int            `json:"doors"`
	Findings []lint.Finding `json:"findings"`
	Effects  []lint.Script  `json:"effects,omitzero"` // nil unless requested
	Guesses  []guess        `json:"odds,omitzero"`    // the same
	Problems []problem      `json:"problems,omitempty"`
	// Writable is what other users can change, so that a daemon of this machine would hold the set.
	Writable []writable.Finding `json:"writable,omitempty"`
	// WritableOfTests is what they can change of the captures and golden transcripts of tests.
	WritableOfTests []writable.Finding `json:"writable_of_tests,omitempty"`
}

// warnOfWritable warns of what other users can change.
func (p *program) warnOfWritable(found []writable.Finding) {
	if len(found) > 0 {
		p.warn("users other than root can change who gets in and what is run, so the daemon would hold the scripts:\n%s", strings.TrimRight(writable.Lines(found), "\n"))
	}
}

// A refusal is the JSON for a script set that does not load.
type refusal struct {
	Problems []problem `json:"problems"`
}

// A problem is one reason. It has no place when it is about no file.
type problem struct {
	File    string `json:"file,omitempty"`
	Line    int    `json:"line,omitempty"`
	Column  int    `json:"column,omitempty"`
	Message string `json:"message"`
}

// problemsOf returns the problems of a configuration or of scripts with their places. Any
// other error becomes one problem without a place.
func problemsOf(err error) refusal {
	var r refusal
	settings, _ := errors.AsType[config.Problems](err)
	for _, one := range settings {
		r.Problems = append(r.Problems, problem{File: one.File, Line: one.Line, Message: one.Message})
	}
	scripts, _ := errors.AsType[source.Problems](err)
	for _, one := range scripts {
		r.Problems = append(r.Problems, problem{one.File, one.Line, one.Column, one.Message})
	}
	if r.Problems == nil {
		r.Problems = []problem{{Message: err.Error()}}
	}
	return r
}

// writeJSON writes a value for programs. HTML characters are not escaped, because commands of
// scripts contain them.
func (p *program) writeJSON(v any) error {
	e := json.NewEncoder(p.stdout)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

// writeText writes effects, guess figures and findings, and then one line of totals.
func (r *checked) writeText(p *program) error {
	var b strings.Builder
	for _, script := range r.Effects {
		b.WriteString(describe(script))
	}
	for _, o := range r.Guesses {
		fmt.Fprintln(&b, o)
	}
	printed := map[string]bool{} // hints that were printed: all findings about knockd have the same
	for _, f := range r.Findings {
		fmt.Fprintln(&b, f)
		if f.ID != lint.Knockd || !printed[f.Hint] {
			fmt.Fprintf(&b, "    %s\n", f.Hint)
		}
		printed[f.Hint] = true
	}
	return p.print("%s%s, %s, %s\n", &b, transcript.Count(r.Files, "file"), transcript.Count(r.Doors, "door"),
		transcript.Count(len(r.Findings), "finding"))
}
