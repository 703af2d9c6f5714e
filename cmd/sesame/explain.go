//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"sesame/daemon/control"
	"sesame/daemon/engine"
	"sesame/daemon/transcript"
	"sesame/scripting"
	"sesame/simulate"
	"sesame/simulate/page"
)

// explainFlags are the flags of sesame explain.
type explainFlags struct {
	daemon configFlags
	last   string
	color  string
	html   htmlFlags
}

func (p *program) explainCommand() *cobra.Command {
	f := &explainFlags{}
	c := &cobra.Command{
		Use:   "explain [flags] [ADDRESS|NETWORK]",
		Short: "Explain why a door opened, or why not",
		Long: `Explain fetches the recording of the daemon and replays it here with the scripts
that ran. It prints the result for each source: which knock was missing or too
late, and by how much. The running doors are not touched.

Then it prints what became of what was opened: whether the port answered, or
which chain of which program dropped the connection, with the line to run; and
who was refused at guarded ports.`,
		Example: `  sesame explain 203.0.113.9 --last 10m
  sesame explain --last 1h --html hour.html`,
		Args: arguments(0, 1, "at most one ADDRESS|NETWORK"),
		RunE: func(c *cobra.Command, args []string) error { return p.explain(c, f, args) },
	}
	f.daemon.addSocket(c)
	c.Flags().StringVar(&f.last, "last", "", "only the last part of the recording, such as 10m (default: all)")
	c.Flags().StringVar(&f.color, "color", "auto", `"auto", "always" or "never"`)
	f.html.add(c)
	return c
}

// explain replays what the daemon recorded and prints an account for each source.
func (p *program) explain(c *cobra.Command, f *explainFlags, args []string) error {
	if err := oneOf(c, "color", f.color, "auto", "always", "never"); err != nil {
		return err
	}
	var last time.Duration
	var err error
	if c.Flags().Changed("last") {
		if last, err = scripting.ParseDuration(f.last); err != nil {
			return &usageError{c, "--last: " + err.Error()}
		}
	}
	var source control.Source
	if len(args) > 0 {
		if source, err = control.ParseSource(args[0]); err != nil {
			return &usageError{c, err.Error()}
		}
	}
	counted := &countingWriter{Text: transcript.NewText(p.stdout, transcript.TextOptions{Color: color(f.color, p.stdout)}), selected: source.IsValid() || last > 0}
	config := simulate.Config{Account: true, Writer: counted}
	if err := f.html.check(c); err != nil {
		return err
	}
	f.html.apply(&config)
	if source.IsValid() {
		config.Sources = []netip.Prefix{source.Masked()}
	}
	return p.request(c, &f.daemon, func(ctx context.Context, daemon *control.Client) error {
		status, err := daemon.Status(ctx)
		if err != nil {
			return err
		}
		config.Now = status.Now.Add(-time.Duration(status.Offset)) // a recording has engine times
		if last > 0 {
			config.Since = config.Now.Add(-last)
		}
		report, err := replayRecording(ctx, daemon, config)
		if err != nil {
			return err
		}
		if counted.events > 0 || !counted.selected {
			if err := p.print("\n"); err != nil {
				return err
			}
		}
		if report.Tells() || !counted.selected {
			if err := report.WriteAccount(p.stdout); err != nil {
				return err
			}
		}
		p.judge(report)
		lines := measured(&status, source, last, counted.opened)
		if len(lines) > 0 {
			if err := p.print("\n%s\n", strings.Join(lines, "\n")); err != nil {
				return err
			}
		}
		if f.html.wanted() {
			if err := f.html.save(p, f.explained(args, report, lines)); err != nil {
				return err
			}
		}
		if counted.events == 0 && !report.Tells() && report.Knocks > 0 && len(lines) == 0 {
			p.note("nothing that a door listens to is recorded%s; all that is recorded: sesame explain", ofWhom(source, last))
		}
		return nil
	})
}

// explained returns the page of what the daemon recorded, with lines about what became of it.
func (f *explainFlags) explained(args []string, report *simulate.Report, lines []string) *page.Data {
	title := "What the daemon recorded"
	if len(args) > 0 {
		title += " of " + args[0]
	}
	if f.last != "" {
		title += ", the last " + f.last
	}
	d := f.html.data("explain", title, report)
	if len(lines) > 0 {
		s := page.Section{Title: "What became of it at the firewall", Columns: []page.Column{{Name: "Source, and what was measured"}}}
		for line := range strings.SplitSeq(strings.Join(lines, "\n"), "\n") {
			s.Rows = append(s.Rows, []string{line})
		}
		d.Sections = append(d.Sections, s)
	}
	return d
}

// ofWhom returns text about the selection of sources and time.
func ofWhom(source control.Source, last time.Duration) string {
	text := ""
	if source.IsValid() {
		text += " of " + source.String()
	}
	if last > 0 {
		text += " in the last " + transcript.Duration(last)
	}
	return text
}

// A countingWriter counts the events that it writes.
type countingWriter struct {
	*transcript.Text
	selected bool // not all sources or times
	events   int
	opened   openedList
}

// Events writes events and counts them.
func (w *countingWriter) Events(events []engine.Event) {
	w.events += len(events)
	w.opened.add(events)
	w.Text.Events(events)
}

// Summary leaves out the totals when only some sources or times were selected.
func (w *countingWriter) Summary(s transcript.Summary) error {
	if w.selected {
		return w.Flush()
	}
	return w.Text.Summary(s)
}

// errEnough ends a transfer when the rest is not needed.
var errEnough = errors.New("enough")

// replayRecording replays what the daemon recorded.
func replayRecording(ctx context.Context, daemon *control.Client, config simulate.Config) (report *simulate.Report, err error) {
	err = streamRecording(ctx, daemon, func(recording io.Reader) error {
		config.Recording = recording
		var err error
		if report, err = simulate.Run(ctx, config); err != nil {
			return fmt.Errorf("replaying what the daemon recorded: %w", err)
		}
		return nil
	})
	return report, err
}

// streamRecording reads the whole recording of the daemon while it is transferred, so that no file
// holds it. An error of the transfer is returned instead of that which it caused in the reading.
func streamRecording(ctx context.Context, daemon *control.Client, read func(io.Reader) error) error {
	r, w := io.Pipe()
	fetched := make(chan error, 1) // how the transfer ended
	go func() {
		err := daemon.Record(ctx, w)
		w.CloseWithError(err) // nil: the end of the recording
		fetched <- err
	}()
	err := read(r)
	r.CloseWithError(errEnough)
	if failed := <-fetched; failed != nil && !errors.Is(failed, errEnough) {
		return failed
	}
	return err
}
