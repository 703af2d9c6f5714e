package simulate

import (
	"bytes"
	"fmt"
	"io"
	"iter"
	"slices"
	"strings"

	"sesame/daemon/packet"
	"sesame/daemon/transcript"
	"sesame/simulate/account"
)

// Tells reports whether there is an account of any source.
func (r *Report) Tells() bool { return r.account != nil && !r.account.Empty() || len(r.split) > 0 }

// Hints returns a line for each kind of fact that was asked for and that nobody knew; "" for none.
func (r *Report) Hints() string { return r.hints }

// WriteAccount writes a text for people: the outcome of each source, or why no packet was a knock.
// It returns the error of w.
func (r *Report) WriteAccount(w io.Writer) error {
	var b bytes.Buffer
	if r.account != nil {
		_ = r.account.Write(&b) // into memory
	}
	_ = r.Open.Write(&b, "open") // into memory
	_ = r.WouldOpen.Write(&b, "would have been open")
	r.writeNotes(&b)
	_, err := w.Write(b.Bytes())
	return err
}

// Accounts returns the accounts of all sources, those that came furthest first.
func (r *Report) Accounts() iter.Seq[*account.Account] {
	if r.account == nil {
		return func(func(*account.Account) bool) {}
	}
	return r.account.All()
}

// Notes returns the lines of [Report.WriteAccount] that are about no single source.
func (r *Report) Notes() []string {
	var b bytes.Buffer
	r.writeNotes(&b)
	return strings.FieldsFunc(b.String(), func(c rune) bool { return c == '\n' })
}

// writeNotes writes why no packet was a knock, and what the result depends on.
func (r *Report) writeNotes(b *bytes.Buffer) {
	if r.nothing != "" {
		fmt.Fprintln(b, r.nothing)
	}
	for _, k := range r.split {
		fmt.Fprintln(b, k)
	}
	if selected := r.selected; r.account != nil && selected != "" && r.nothing == "" && r.account.Empty() {
		fmt.Fprintln(b, "no knock "+selected)
	}
	b.WriteString(r.hints)
	switch {
	case r.Exact:
		fmt.Fprintln(b, "replayed with the scripts, addresses and results that were recorded")
		if r.account != nil && len(r.account.Unopened(1)) > 0 {
			fmt.Fprintln(b, "packets that no door watches are not recorded; tcpdump shows a knock to a wrong port or with wrong TCP flags")
		}
	case r.recorded:
		fmt.Fprintln(b, "only packets to the addresses that were recorded counted; a recording has no packets that its own scripts did not listen to")
	case r.once && !r.account.Empty():
		fmt.Fprintln(b, "standard input or a pipe cannot be read again, so packets that no door watches were not looked at: save the capture to a file and replay that")
	}
	switch {
	case r.Exact, r.recorded:
	case len(r.local) > 0:
		fmt.Fprintf(b, "only packets to %s counted (--local)\n", joined(r.local))
	case r.Dropped[packet.NotLocal] > 0:
		fmt.Fprintln(b, "every destination counted but broadcast and multicast; with --local ADDRESS only packets to that address do")
	default:
		fmt.Fprintln(b, "every destination counted; with --local ADDRESS only packets to that address do")
	}
}

// selectedBy names the sources and doors that were chosen, "" for all. An example is "from
// 203.0.113.9 (--source) at ssh (--door)".
func selectedBy(c *Config) string {
	var parts []string
	if c.Sources != nil {
		parts = append(parts, "from "+joined(c.Sources)+" (--source)")
	}
	if c.Doors != nil {
		parts = append(parts, "at "+transcript.Safe(strings.Join(c.Doors, ", "))+" (--door)")
	}
	return strings.Join(parts, " ")
}

// addTimes fills in the times for which ports were open.
func (r *Report) addTimes(times *account.TimeBook) {
	if times != nil {
		r.Open, r.WouldOpen = times.Given(), times.Observed()
	}
}

// finish writes what comes behind the events: the accounts for programs, and the totals.
func (r *Report) finish(c *Config) error {
	if c.Lines != nil && r.account != nil {
		for a := range r.account.All() {
			c.Lines.Line(a.Pairs()...)
		}
		for _, line := range slices.Concat(r.Open.Pairs(false), r.WouldOpen.Pairs(true)) {
			c.Lines.Line(line...)
		}
	}
	return c.Writer.Summary(r.Summary)
}
