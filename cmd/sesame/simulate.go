package main

import (
	"fmt"
	"io"
	"maps"
	"net/netip"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"sesame/daemon/transcript"
	"sesame/scripting"
	"sesame/simulate"
)

// simulateFlags are those of sesame simulate.
type simulateFlags struct {
	scripts scriptFlags
	local   []string
	format  string
	color   string
	until   string
	verbose bool
}

func (p *program) simulateCommand() *cobra.Command {
	f := &simulateFlags{}
	c := &cobra.Command{
		Use:   "simulate [flags] CAPTURE...",
		Short: "Replay captures through the scripts, and tell what would have happened",
		Long: `Simulate replays captures through the scripts and the engine that guards a
machine, in the captures' own time. Nothing is opened and nothing is run: every
effect is taken for done. CAPTURE is a pcap or pcapng file, plain or compressed
with gzip or zstd, or - for standard input. Several are merged by time.

The exit status is 0 when all was replayed, 1 when a script failed on the way,
and 2 when something could not be read to its end.`,
		Example: `  sesame simulate -s scripts/ssh.lua pcaps/ssh-opens.pcap
  tcpdump -U -w - | sesame simulate --local 192.0.2.1 -`,
		Args: func(c *cobra.Command, args []string) error {
			if len(args) == 0 {
				return &usageError{c, "which capture? Name a pcap or pcapng file, or - for standard input"}
			}
			if i := slices.Index(args, "-"); i >= 0 && slices.Contains(args[i+1:], "-") {
				return &usageError{c, "standard input is named twice, and can be read once"}
			}
			return nil
		},
		RunE: func(c *cobra.Command, captures []string) error { return p.simulate(c, f, captures) },
	}
	f.scripts.add(c)
	c.Flags().StringSliceVar(&f.local, "local", nil, "the host's addresses or networks, for which alone packets count (default: any)")
	c.Flags().StringVar(&f.format, "format", "text", `"text" for people, "jsonl" for programs`)
	c.Flags().StringVar(&f.color, "color", "auto", `"auto", "always" or "never"`)
	c.Flags().StringVar(&f.until, "until", "1h", "how long timers of scripts run on after the last packet")
	c.Flags().BoolVarP(&f.verbose, "verbose", "v", false, "say what was run: version, scripts, captures, options")
	return c
}

func (p *program) simulate(c *cobra.Command, f *simulateFlags, captures []string) error {
	local, until, err := f.check(c)
	if err != nil {
		return err
	}
	set, err := p.load(c, &f.scripts)
	if err != nil {
		return err
	}
	defer set.Close()
	if f.verbose {
		p.provenance(f, set, captures)
	}
	bar := &progress{w: p.stderr}
	out := io.Writer(&behindBar{bar, p.stdout})
	config := simulate.Config{
		Captures: captures, Set: set.Engine, Local: local, Until: until,
		Account: f.format == "text", Writer: f.writer(out, p.stdout),
	}
	if isTerminal(p.stderr) {
		config.Progress = bar.draw
	}
	if slices.Contains(captures, "-") {
		p.finishOnInterrupt()
	}
	report, err := simulate.Run(config)
	bar.clear()
	if err != nil {
		return err
	}
	if config.Account {
		if err := report.WriteAccount(p.stdout); err != nil {
			return err
		}
	}
	p.judge(report)
	return nil
}

// judge warns of what a reader must know, and sets the exit status.
func (p *program) judge(report *simulate.Report) {
	if report.Clamped > 0 {
		p.warn("%s stamped earlier than the one before: taken as simultaneous with it", transcript.Count(report.Clamped, "packet"))
	}
	if report.Cut > 0 {
		p.warn("%s cut short when recorded: scripts saw a part of the payload; record with tcpdump -s 0", transcript.Count(report.Cut, "packet"))
	}
	for _, link := range slices.Sorted(maps.Keys(report.Unreadable)) {
		p.warn("%s of %v, which Sesame cannot read: expected Ethernet, Linux cooked, raw IP or loopback",
			transcript.Count(report.Unreadable[link], "packet"), link)
	}
	if report.Errors > 0 {
		p.status = answerNo
	}
	for _, err := range report.Incomplete {
		p.warn("%v", err)
		p.status = couldNot
	}
}

func (f *simulateFlags) writer(out, stdout io.Writer) simulate.Writer {
	if f.format == "jsonl" {
		return transcript.NewJSON(out)
	}
	return transcript.NewText(out, transcript.TextOptions{Color: color(f.color, stdout)})
}

// check looks at all flags, and reports the first that makes no sense.
func (f *simulateFlags) check(c *cobra.Command) ([]netip.Prefix, time.Duration, error) {
	if err := oneOf(c, "format", f.format, "text", "jsonl"); err != nil {
		return nil, 0, err
	}
	if err := oneOf(c, "color", f.color, "auto", "always", "never"); err != nil {
		return nil, 0, err
	}
	var until time.Duration
	if f.until != "0" && f.until != "0s" {
		var err error
		if until, err = scripting.ParseDuration(f.until); err != nil {
			return nil, 0, &usageError{c, "--until: " + err.Error()}
		}
	}
	local, err := f.locals(c)
	return local, until, err
}

// locals reads --local. An empty one is refused: it is a variable that was not
// set, and must not come to mean every destination.
func (f *simulateFlags) locals(c *cobra.Command) ([]netip.Prefix, error) {
	if len(f.local) == 0 && c.Flags().Changed("local") {
		f.local = []string{""}
	}
	var local []netip.Prefix
	for _, text := range f.local {
		prefix, err := parseNetwork(strings.TrimSpace(text))
		if err != nil {
			return nil, &usageError{c, fmt.Sprintf("--local %q: expected an address such as 192.0.2.1, or a network such as 192.0.2.0/24", text)}
		}
		local = append(local, prefix)
	}
	return local, nil
}

func parseNetwork(text string) (netip.Prefix, error) {
	if address, err := netip.ParseAddr(text); err == nil {
		address = address.Unmap().WithZone("")
		return netip.PrefixFrom(address, address.BitLen()), nil
	}
	prefix, err := netip.ParsePrefix(text)
	if err == nil && prefix != prefix.Masked() {
		return prefix, fmt.Errorf("%s has bits behind its prefix", text)
	}
	return prefix, err
}

func oneOf(c *cobra.Command, flag, value string, allowed ...string) error {
	for _, a := range allowed {
		if value == a {
			return nil
		}
	}
	return &usageError{c, fmt.Sprintf("--%s %q: expected %s", flag, value, strings.Join(allowed, " or "))}
}

// provenance says what a report rests on. It stays out of the transcript, which
// must be the same wherever it was made.
func (p *program) provenance(f *simulateFlags, set *scripting.Set, captures []string) {
	p.note("version %s", version())
	for _, file := range set.Files {
		p.note("script %s, sha256 %x", file.Path, file.SHA256)
	}
	for i, name := range captures {
		size := ""
		if info, err := os.Stat(name); err == nil {
			size = ", " + transcript.Count(int(info.Size()), "byte")
		}
		p.note("capture %d: %s%s", i+1, name, size)
	}
	for _, option := range set.Options {
		p.note("option %s: %v", option.Name, option.Value)
	}
	local := strings.Join(f.local, ",")
	if local == "" {
		local = "every destination"
	}
	p.note("local: %s; until: %s", local, f.until)
}

// behindBar removes the progress bar before it lets a line through to the
// terminal that shows both.
type behindBar struct {
	bar *progress
	io.Writer
}

func (w *behindBar) Write(b []byte) (int, error) {
	w.bar.clear()
	return w.Writer.Write(b)
}
