package main

import (
	"context"
	"fmt"
	"io"
	"net/netip"
	"os"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"sesame/daemon/config"
	"sesame/daemon/engine"
	"sesame/scripting"
	"sesame/scripting/source"
	"sesame/simulate"
	"sesame/simulate/compare"
	"sesame/simulate/opening"
)

// diffFlags are the flags of sesame diff.
type diffFlags struct {
	scripts   scriptFlags
	geo       geoFlags
	typed     typedFlags
	decap     decapFlags
	old       string
	oldValues []string
	oldConfig string
	socket    string
	local     []string
	parsed    []netip.Prefix // of local
	until     string
	only      string
	format    string
	me        string
	html      htmlFlags

	untilParsed time.Duration
	meParsed    netip.Addr
}

func (p *program) diffCommand() *cobra.Command {
	f := &diffFlags{}
	c := &cobra.Command{
		Use:   "diff [flags] [CAPTURE...]",
		Short: "Compare two sets of scripts: who no longer gets in, and who does now",
		Long: `Diff replays the same packets through two sets of scripts, and prints what differs:
openings that are lost, and why; openings that are new; other grants, commands and
refusals; and what differs in what the scripts say. Nothing is opened and nothing
is run.

The new scripts are those of -s. The old ones are those of --old:

  running   those of the daemon on this machine
  DIR       a directory of scripts, or one script
  REV:PATH  a directory or a script in a revision of git; REV alone means the path
            of the new scripts

Without --old they are those of the daemon if one answers, else those of the last
commit, if git has the new scripts.

Without CAPTURE and --knock the packets are those that the daemon recorded lately:
those that its own scripts watch. The one-time sequences and the answers about
countries, providers and names are as they were recorded. Without a daemon they are
made up: one knock at each door of the old scripts.

When you are logged in over SSH, diff says whether your own last knock still opens.

The exit status is 0 when nothing differs, 1 when something does, and 2 when the
scripts do not load or not all packets could be read. With --only it is about what
that selects.`,
		Example: `  sudo sesame diff -s /etc/sesame/scripts
  sesame diff --old HEAD~1 -s scripts pcaps/ssh-opens.pcap
  sesame diff --old scripts -s edited --knock "203.0.113.9 ssh" --format markdown
  sesame diff --old HEAD -s scripts --html diff.html monday.pcap`,
		RunE: func(c *cobra.Command, captures []string) error { return p.diff(c, f, captures) },
	}
	f.scripts.add(c)
	f.geo.add(c)
	f.geo.addFacts(c)
	f.typed.add(c)
	f.decap.add(c)
	flags := c.Flags()
	flags.StringVar(&f.old, "old", "", `the old scripts: "running", a directory, one script, or REV:PATH of git (default: running, else HEAD)`)
	flags.StringArrayVar(&f.oldValues, "old-set", nil, "set an option of the old scripts, as name=value (default: as --set and -c have it)")
	flags.StringVar(&f.oldConfig, "old-config", "", "take the options of the old scripts from this configuration file")
	flags.StringVar(&f.socket, "socket", "", socketUsage)
	flags.StringSliceVar(&f.local, "local", nil, "addresses or networks of the host; packets to others do not count (default: any)")
	flags.StringVar(&f.until, "until", "1h", "how long timers of scripts run after the last packet")
	flags.StringVar(&f.only, "only", "", `print "lost" or "gained" openings alone`)
	completeFlag(c, "only", "lost", "gained")
	flags.StringVar(&f.format, "format", "text", `"text" for people, "json" for programs, "markdown" for a comment`)
	completeFlag(c, "format", "text", "json", "markdown")
	flags.StringVar(&f.me, "me", "", "the address whose last opening is looked for (default: from which you are logged in over SSH)")
	f.html.add(c)
	_ = c.RegisterFlagCompletionFunc("old", func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return []string{"running", "HEAD"}, cobra.ShellCompDirectiveDefault
	})
	return c
}

// check checks the flags and returns the first error.
func (f *diffFlags) check(c *cobra.Command, captures []string) (err error) {
	if len(f.typed.texts) > 0 && len(captures) > 0 {
		return &usageError{c, "--knock takes the place of captures: leave one of them out"}
	}
	if slices.Contains(captures, "-") && len(captures) > 1 {
		return &usageError{c, "standard input is replayed alone: save it to a file to merge it with others"}
	}
	if f.only != "" {
		if err := oneOf(c, "only", f.only, "lost", "gained"); err != nil {
			return err
		}
	}
	if f.meParsed = callersAddress(); c.Flags().Changed("me") {
		if f.meParsed, err = netip.ParseAddr(f.me); err != nil || f.meParsed.Zone() != "" {
			return &usageError{c, fmt.Sprintf("--me %q: expected an address such as 203.0.113.9", f.me)}
		}
	}
	if f.until != "0" && f.until != "0s" {
		if f.untilParsed, err = scripting.ParseDuration(f.until); err != nil {
			return &usageError{c, "--until: " + err.Error()}
		}
	}
	if c.Flags().Changed("local") {
		if f.parsed, err = parseLocal(c, f.local); err != nil {
			return err
		}
	}
	return firstOf(
		func() error { return oneOf(c, "format", f.format, "text", "json", "markdown") },
		func() error { return f.decap.check(c) },
		func() error { return f.typed.check(c) },
		func() error { return f.geo.check(c) },
		func() error { return f.html.check(c) },
	)
}

// firstOf returns the first error of some checks.
func firstOf(checks ...func() error) error {
	for _, check := range checks {
		if err := check(); err != nil {
			return err
		}
	}
	return nil
}

// A newSide is the new scripts, which were read and not loaded yet.
type newSide struct {
	files    *source.Files
	settings config.Config
	options  scripting.Options
	own      bool // the options are those of flags and of a configuration, not of the daemon
}

// An oldSide is the old scripts.
type oldSide struct {
	name string // for people
	set  *scripting.Set
	// What the daemon recorded, and what it ran, whose packets or scripts are compared; nil: none.
	recording []byte
	latest    *simulate.Latest
	recorder  *engine.Set // of latest; its doors need no scripts
}

// diff compares, and prints what differs.
func (p *program) diff(c *cobra.Command, f *diffFlags, captures []string) error {
	if err := f.check(c, captures); err != nil {
		return err
	}
	ctx, _, forget := p.interruptible(c.Context(), captures)
	defer forget()
	is, err := p.newSide(c, &f.scripts)
	if err != nil {
		return err
	}
	was, err := p.oldSide(ctx, c, f, is, len(captures) == 0 && len(f.typed.lines) == 0)
	if err != nil {
		return err
	}
	defer was.set.Close()
	set, err := is.load(was)
	if err != nil {
		return err
	}
	defer set.Close()
	d, err := p.compareSides(ctx, c, f, captures, is, was, set)
	if err != nil {
		return err
	}
	if err := p.printDiff(f, d); err != nil || d.page == nil {
		return err
	}
	return f.html.save(p, d.page.data(d))
}

// compareSides compares two sets that were loaded.
func (p *program) compareSides(ctx context.Context, c *cobra.Command, f *diffFlags, captures []string, is *newSide, was *oldSide, set *scripting.Set) (*diffed, error) {
	input := compare.Config{
		Old: compare.Side{Set: was.set}, New: compare.Side{Set: set},
		Until: f.untilParsed, At: f.typed.begin, Decap: f.decap.tunnels, Local: is.settings.Local, Me: f.meParsed,
	}
	if f.parsed != nil {
		input.Local = f.parsed
	}
	facts, err := p.diffFacts(f, is, was.set, set)
	if err != nil {
		return nil, err
	}
	input.Old.Facts, input.New.Facts = facts, facts
	from, err := p.diffInput(c, f, captures, was, &input)
	if err != nil {
		return nil, err
	}
	if input.Recorded != nil && f.parsed == nil {
		input.Local = nil // the addresses are recorded, too
	}
	bar := &progress{w: p.stderr}
	if isTerminal(p.stderr) {
		input.Progress = bar.draw
	}
	var shown *diffPage
	if f.html.wanted() {
		shown = newDiffPage(&input)
	}
	report, err := compare.Run(ctx, input)
	bar.clear()
	if err != nil {
		return nil, err
	}
	return &diffed{Old: was.name, New: is.files.Dir, Packets: from, Same: f.same(report), Report: report, page: shown}, nil
}

// newSide reads the new scripts.
func (p *program) newSide(c *cobra.Command, f *scriptFlags) (*newSide, error) {
	settings, err := p.offlineConfig(c, f)
	if err != nil {
		return nil, err
	}
	return readSide(settings)
}

// readSide reads the scripts of a configuration.
func readSide(settings config.Config) (*newSide, error) {
	files, err := readScripts(&settings)
	if err != nil {
		return nil, err
	}
	return &newSide{files: files, settings: settings, options: scriptOptions(&settings), own: settings.File != ""}, nil
}

// load loads the new scripts. Compared with those that a daemon runs, they have its options unless
// a configuration was read, and the one-time sequences that it recorded. Was is nil when there is
// nothing to compare with.
func (n *newSide) load(was *oldSide) (*scripting.Set, error) {
	if was == nil {
		return scripting.Load(n.files, n.options)
	}
	if l := was.latest; l != nil {
		if !n.own {
			for name, value := range l.Scripts.Values {
				if _, given := n.options.Values[name]; !given {
					n.options.Values[name] = value
				}
			}
		}
		n.files.ReadReferenced = l.ReadReferenced(was.set)
	}
	set, err := scripting.Load(n.files, n.options)
	if err == nil && was.latest != nil && was.latest.Scripts.Observe {
		set.Engine.Observe()
	}
	return set, err
}

// diffFacts returns what answers the scripts of both sides.
func (p *program) diffFacts(f *diffFlags, is *newSide, was, set *scripting.Set) (engine.Facts, error) {
	asks := set
	if len(set.Asks) == 0 {
		asks = was
	}
	databases, err := f.geo.read(&is.settings, asks)
	if err != nil {
		return nil, err
	}
	p.warnOfHosts(&f.geo.given, slices.Concat(was.Hosts, set.Hosts))
	return f.geo.facts(databases), nil
}

// diffInput sets the packets of a comparison, and says what they are; "" for none, since the old
// scripts have no door.
func (p *program) diffInput(c *cobra.Command, f *diffFlags, captures []string, was *oldSide, to *compare.Config) (string, error) {
	switch {
	case len(f.typed.lines) > 0:
		// Who knocks knows the old scripts. A door that only the new ones have is named there.
		typed := simulate.Config{Set: to.Old.Set.Engine, Local: to.Local, Facts: to.Old.Facts}
		err := f.typed.apply(c, &typed)
		if err != nil {
			typed.Set = to.New.Set.Engine
			err = f.typed.apply(c, &typed)
		}
		to.Knocks, to.At = typed.Knocks, time.Time{}
		return "the knocks that were typed", err
	case slices.Contains(captures, "-"):
		text, err := io.ReadAll(io.LimitReader(p.stdin, mostScrubbed+1))
		if err == nil && len(text) > mostScrubbed {
			err = fmt.Errorf("standard input has more than %d MiB: save it to a file", mostScrubbed>>20)
		}
		to.Knocks = text
		return "standard input", err
	case len(captures) > 0:
		to.Captures = captures
		return captureNames(captures), recordedBy(captures, to)
	case was.recording != nil:
		to.Knocks, to.Recorded = was.recording, was.recorder
		return "the daemon's recording, since " + formatMoment(was.latest.Begin) + ", all that is kept", nil
	}
	return madeUp(was, to)
}

// madeUp knocks once at each door of the old scripts, as somebody does who knows them.
func madeUp(was *oldSide, to *compare.Config) (string, error) {
	knocks, visits, err := opening.Capture(was.set.Engine.Doors)
	if err != nil {
		return "", fmt.Errorf("knocking at the doors of the old scripts: %w", err)
	}
	if len(visits) == 0 {
		return "", nil
	}
	to.Knocks = knocks
	return "made-up knocks, one at each door of the old scripts, since there are no captures", nil
}

// recorded finds out what was recorded, when one of the captures is a recording of a daemon.
func recordedBy(captures []string, to *compare.Config) error {
	for _, path := range captures {
		// A pipe would be at its end when the second set is replayed.
		if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
			return fmt.Errorf("%s is no ordinary file, and a capture is read twice: save it to a file", path)
		}
		latest, err := simulate.LatestOf(path)
		if err != nil || latest == nil {
			continue // the replay says what is wrong
		}
		set, err := latest.Load("")
		if err != nil {
			return fmt.Errorf("%s: its scripts: %w", path, err)
		}
		set.Close()
		to.Recorded = set.Engine // its doors, which need no scripts
	}
	return nil
}

// same reports whether nothing differs of what is printed.
func (f *diffFlags) same(r *compare.Report) bool {
	switch f.only {
	case "lost":
		return len(r.Lost) == 0
	case "gained":
		return len(r.Gained) == 0
	}
	return r.Same()
}
