package main

import (
	"fmt"
	"io"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"sesame/scripting"
	"sesame/simulate"
)

// simulateFlags are the flags of sesame simulate.
type simulateFlags struct {
	scripts scriptFlags
	geo     geoFlags
	demands demandFlags
	decap   decapFlags
	account accountFlags
	typed   typedFlags
	output  outputFlags
	html    htmlFlags
	local   []string
	parsed  []netip.Prefix // of local
	until   string
	verbose bool
}

func (p *program) simulateCommand() *cobra.Command {
	f := &simulateFlags{}
	c := &cobra.Command{
		Use:   "simulate [flags] [CAPTURE...]",
		Short: "Replay captures or knocks through the scripts, and print what would have happened",
		Long: `Simulate replays captures through the scripts and the same engine that guards a
machine, with the times of the captures. Nothing is opened and nothing is run:
every effect counts as done. CAPTURE is a pcap or pcapng file, plain or
compressed with gzip or zstd, or - for standard input. Several are merged by time.

A recording of the daemon (sesame record) is replayed exactly, with the recorded
scripts, addresses, facts and results. With -s it is a capture like any other. So
--set and -c need -s for a recording.

What scripts ask about a source, such as its country, is answered by --fact, then
by the databases of --geo, or else by those of the configuration file with -c.
--fact states what is known of an address, a network or the name of a host; the
longest network counts:

  --fact "203.0.113.9 country=ES asn=3352"  --fact "2001:db8::/32 country=PT"
  --fact "home.example.net addresses=203.0.113.9,2001:db8::1"

--knock needs no capture. It has a source, and the packets that it sends: ports, or
the name of a door, whose knocks are sent. A time behind a packet passes before the
next (default: 100ms). Several --knock follow one another:

  --knock "203.0.113.9 tcp/7421 200ms udp/9133 tcp/2904"  --knock "203.0.113.9 ssh"
  --knock '203.0.113.9 tcp/80 flags=fin,psh to=198.51.100.1 udp/53 payload="SESA\x00"'

--at is the time of the first packet. Those of a capture are all shifted with it.
The transcript has UTC, whatever the zone of --at.
Knocks without --at begin on a Monday at noon, 2026-01-05 12:00 UTC.

The exit status is 0 when all was replayed, 1 when a script failed or fewer packets
were knocks than --min-knocks asks for, and 2 when a file could not be read to its
end, when no packet of a capture could be read, or when there is no door.`,
		Example: `  sesame simulate -s scripts/ssh.lua pcaps/ssh-opens.pcap
  sesame simulate -s scripts/ssh.lua -q --source 203.0.113.9 pcaps/ssh-opens.pcap
  sesame simulate -s scripts --html monday.html monday.pcap
  sesame simulate --knock "203.0.113.9 ssh" --at "2026-11-23 09:00 Europe/Madrid" --fact "203.0.113.9 country=ES"
  tcpdump -U -w - | sesame simulate --local 192.0.2.1 -`,
		Args: func(c *cobra.Command, args []string) error {
			if err := f.typed.checkInput(c, args); err != nil {
				return err
			}
			if i := slices.Index(args, "-"); i >= 0 && slices.Contains(args[i+1:], "-") {
				return &usageError{c, "standard input is named twice, and can be read once"}
			}
			for _, name := range args {
				if pattern := expanded(c, name); filepath.Ext(name) == ".toml" && pattern != "" {
					return &usageError{c, fmt.Sprintf("%q is no capture%s", name, pattern)}
				}
			}
			return nil
		},
		RunE: func(c *cobra.Command, captures []string) error { return p.simulate(c, f, captures) },
	}
	f.scripts.add(c)
	f.geo.add(c)
	f.geo.addFacts(c)
	f.demands.add(c)
	f.decap.add(c)
	f.account.add(c)
	f.typed.add(c)
	f.output.add(c)
	f.html.add(c)
	c.Flags().StringSliceVar(&f.local, "local", nil, "addresses or networks of the host; packets to others do not count (default: any)")
	c.Flags().StringVar(&f.until, "until", "1h", "how long timers of scripts run after the last packet")
	c.Flags().BoolVarP(&f.verbose, "verbose", "v", false, "print what was used: version, scripts, captures, options")
	return c
}

// simulate replays captures and prints the transcript, and in text format an account of each
// source.
//
// The scripts are loaded by a function that [simulate.Run] calls only when the input is no
// recording with scripts of its own. The progress bar and the transcript may share a terminal,
// so the bar is removed before each write.
func (p *program) simulate(c *cobra.Command, f *simulateFlags, captures []string) error {
	until, err := f.check(c)
	if err != nil {
		return err
	}
	bar := &progress{w: p.stderr}
	out := io.Writer(&behindBar{bar, p.stdout})
	config := simulate.Config{
		Captures: captures, Local: f.parsed, Until: until, Decap: f.decap.tunnels, Changes: f.changes(c),
		Writer: f.output.writer(out, p.stdout),
	}
	f.account.apply(&config, f.output.format)
	var set *scripting.Set
	defer func() {
		if set != nil {
			set.Close()
		}
	}()
	config.Load = func(config *simulate.Config) (err error) {
		set, err = p.loadSimulated(c, f, config)
		return err
	}
	// With named scripts, errors in them are reported before errors in captures.
	if f.scripts.path != "" || len(f.typed.lines) > 0 || f.output.format == "test" {
		if err := config.Load(&config); err != nil {
			return err
		}
	}
	if err := f.typed.apply(c, &config); err != nil {
		return err
	}
	f.output.applyTrace(&config, out)
	f.html.apply(&config)
	if isTerminal(p.stderr) {
		config.Progress = bar.draw
	}
	ctx, _, forget := p.interruptible(c.Context(), captures)
	defer forget()
	if f.output.format == "test" {
		return p.writeTest(ctx, f, set, config)
	}
	report, err := simulate.Run(ctx, config)
	bar.clear()
	if err != nil {
		return err
	}
	if set == nil && len(f.geo.files)+len(f.geo.texts) > 0 {
		p.warn("the recording has its own facts: --geo and --fact are for other captures, and for other scripts with -s")
	}
	if set != nil {
		p.warnOfHosts(&f.geo.given, set.Hosts)
	}
	if err := p.writeAccount(f, report); err != nil {
		return err
	}
	if f.html.wanted() {
		if err := f.html.save(p, f.html.data("simulate", pageTitle(captures), report)); err != nil {
			return err
		}
	}
	f.demands.judge(p, report)
	p.judge(report)
	return nil
}

// loadSimulated loads the scripts of a simulation, unless the recording has its own.
func (p *program) loadSimulated(c *cobra.Command, f *simulateFlags, config *simulate.Config) (*scripting.Set, error) {
	set, settings, err := p.loadOffline(c, &f.scripts)
	if err != nil {
		return nil, err
	}
	if len(set.Engine.Doors) == 0 {
		set.Close()
		return nil, fmt.Errorf("%s: no door in the scripts, so nothing could open: expected sesame.door or sesame.listen in a .lua file; name other scripts with -s", settings.Scripts)
	}
	config.Set = set.Engine
	if err := f.account.checkDoors(c, set); err != nil {
		set.Close()
		return nil, err
	}
	if !c.Flags().Changed("local") {
		config.Local = settings.Local // those of a file are all that is known of the host
	}
	databases, err := f.geo.read(&settings, set)
	if err != nil {
		set.Close()
		return nil, err
	}
	config.Facts = f.geo.facts(databases)
	if f.verbose {
		p.provenance(f, set, &settings, config)
		p.noteDatabases(databases, f.geo.texts)
	}
	return set, nil
}

// check checks all flags and returns the first error.
func (f *simulateFlags) check(c *cobra.Command) (until time.Duration, err error) {
	if err := f.output.check(c); err != nil {
		return 0, err
	}
	if f.until != "0" && f.until != "0s" {
		if until, err = scripting.ParseDuration(f.until); err != nil {
			return 0, &usageError{c, "--until: " + err.Error()}
		}
	}
	if _, err := parseValues(c, f.scripts.values); err != nil {
		return 0, err
	}
	if c.Flags().Changed("local") {
		if f.parsed, err = parseLocal(c, f.local); err != nil {
			return 0, err
		}
	}
	if err := f.demands.check(c); err != nil {
		return 0, err
	}
	if err := f.decap.check(c); err != nil {
		return 0, err
	}
	if err := f.account.check(c, f.output.format); err != nil {
		return 0, err
	}
	if err := f.typed.check(c); err != nil {
		return 0, err
	}
	if f.html.wanted() && f.output.format == "test" {
		return 0, &usageError{c, "--format test prints a test alone: leave out --html"}
	}
	if err := f.html.check(c); err != nil {
		return 0, err
	}
	return until, f.geo.check(c)
}

// oneOf returns a usage error unless the value of a flag is an allowed one.
func oneOf(c *cobra.Command, flag, value string, allowed ...string) error {
	if slices.Contains(allowed, value) {
		return nil
	}
	return &usageError{c, fmt.Sprintf("--%s %q: expected %s", flag, value, strings.Join(allowed, " or "))}
}

// completeFlag tells shells the values of a flag that has few.
func completeFlag(c *cobra.Command, flag string, values ...string) {
	_ = c.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp))
}
