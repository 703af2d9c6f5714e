package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"sesame/daemon/transcript"
	"sesame/scripting/lint"
	"sesame/simulate/attack"
	"sesame/simulate/repeat"
)

// maxListed is up to how many doors each random scan lists those that it did nothing to.
const maxListed = 8

// text returns the report for people.
func (r *attackReport) text(f *attackFlags) string {
	var b strings.Builder
	if len(r.Scans) > 0 {
		fmt.Fprintf(&b, "from %s to %s, %s\n", r.From, r.To, r.Rate)
	}
	for _, u := range r.Unreached {
		fmt.Fprintf(&b, "%s: no scan opens it: %s\n", u.Door, u.Why)
	}
	for rest := r.Scans; len(rest) > 0; {
		n := 1
		for n < len(rest) && alike(&rest[0], &rest[n]) {
			n++
		}
		if rest[0].scan.Order == attack.Random {
			rest[0].random(&b, len(r.Doors))
		} else {
			sweeps(&b, rest[:n])
		}
		rest = rest[n:]
	}
	for i := range r.Replays {
		if i == 0 || r.Replays[i].Of != r.Replays[i-1].Of {
			fmt.Fprintf(&b, "the knocks of %s at %s, sent again\n", r.Replays[i].Source, r.Replays[i].Of)
		}
		r.Replays[i].text(&b, f)
	}
	fmt.Fprintf(&b, "%s", transcript.Count(r.Opens, "unwanted opening"))
	if r.ByDesign > 0 {
		fmt.Fprintf(&b, ", %d by design: whoever sees a static sequence can send it; one_time_sequences or a condition on the source prevents that, and --count-replays counts it", r.ByDesign)
	}
	b.WriteString("\n")
	return b.String()
}

// alike reports whether two sweeps differ in nothing but the order of their protocols.
func alike(a, b *scanReport) bool {
	return a.Order == b.Order && len(a.Protocols) == len(b.Protocols) && a.Times == b.Times && a.First == b.First && a.Last == b.Last &&
		(len(a.Protocols) > 1 || a.Protocols[0] == b.Protocols[0])
}

// label returns what a scan sends, in columns.
func (r *scanReport) label() string {
	names := make([]string, len(r.Protocols))
	for i, name := range r.Protocols {
		names[i] = strings.ToUpper(name)
	}
	slices.Sort(names)
	times := "once"
	if r.Times > 1 {
		times = fmt.Sprintf("%d times", r.Times)
	}
	text := fmt.Sprintf("%-7s %-12s %-8s", r.Order, strings.Join(names, " and "), times)
	switch {
	case r.First == r.Last:
		text += fmt.Sprintf(" port %d,", r.First)
	case r.First != 1 || r.Last != 65535:
		text += fmt.Sprintf(" ports %d-%d,", r.First, r.Last)
	}
	return fmt.Sprintf("%s %s in %s", text, transcript.Count(r.Packets, "packet"), lasting(r.Seconds))
}

// lasting returns a time for people: "1.31s", "3h38m27s".
func lasting(seconds float64) string {
	d := time.Duration(seconds * float64(time.Second))
	switch {
	case d < time.Second:
		d = d.Round(10 * time.Microsecond)
	case d < time.Minute:
		d = d.Round(10 * time.Millisecond)
	default:
		d = d.Round(time.Second)
	}
	return transcript.Duration(d)
}

// sweeps writes what sweeps did that differ in nothing but the order of their protocols.
func sweeps(b *strings.Builder, same []scanReport) {
	b.WriteString(same[0].label())
	var did []string
	for i := range same {
		_, way, _ := strings.Cut(same[i].scan.String(), ", ")
		for _, at := range same[i].Doors {
			text := fmt.Sprintf("  %s: %s", at.Door, at.first())
			if at.Opened == 0 {
				text = fmt.Sprintf("  %s: completed and refused (%s)", at.Door, at.Reason)
			}
			if len(same) > 1 {
				text += ": " + way
			}
			did = append(did, text)
		}
	}
	if len(did) == 0 {
		b.WriteString(": no door opened\n")
		return
	}
	fmt.Fprintf(b, "\n%s\n", strings.Join(did, "\n"))
}

// first returns when the door opened first.
func (at *scanAt) first() string {
	return fmt.Sprintf("opened after %s by packet %s", lasting(at.Seconds), transcript.Number(at.Packet))
}

// random writes what random scans did.
func (r *scanReport) random(b *strings.Builder, doors int) {
	fmt.Fprintf(b, "%s, %s", r.label(), transcript.Count(r.Runs, "run"))
	if len(r.Doors) == 0 {
		b.WriteString(": no door opened\n")
		return
	}
	b.WriteString("\n")
	listed := 0
	for i := range r.Doors {
		at := &r.Doors[i]
		if at.Completed == 0 && doors > maxListed && (at.Guess == nil || at.Guess.Within) {
			continue
		}
		listed++
		fmt.Fprintf(b, "  %s: %s\n", at.Door, at.random(r.Runs))
	}
	switch more := doors - listed; {
	case listed == 0 && more > 1:
		fmt.Fprintf(b, "  none of the %d doors opened\n", more)
	case more == 1:
		b.WriteString("  the other door did not open\n")
	case more > 1:
		fmt.Fprintf(b, "  the other %d doors did not open\n", more)
	}
}

// random returns what random scans did at a door, beside what was computed.
func (at *scanAt) random(runs int) string {
	text := fmt.Sprintf("opened %v", repeat.Share{Of: at.Opened, All: runs})
	if at.Opened > 0 {
		text += fmt.Sprintf(", first with --seed %d: %s", *at.Seed, strings.TrimPrefix(at.first(), "opened "))
		if at.Sent > at.Packet {
			text += fmt.Sprintf(", in all %s and %s", lasting(at.Lasted), transcript.Count(at.Sent, "packet"))
		}
	}
	if at.Refused > 0 {
		text += fmt.Sprintf("; completed in %s, refused in %s (%s)", transcript.Number(at.Completed), transcript.Number(at.Refused), at.Reason)
	}
	if g := at.Guess; g != nil {
		text += "; check --guess: once in " + lint.Grouped(g.Scans)
		switch {
		case g.AtLeast && g.Within:
			text += " at most"
		case !g.Within:
			text += ", which is not within: " + at.apart()
		}
	}
	return text
}

// apart returns why the figure may differ from what was counted.
func (at *scanAt) apart() string {
	if at.Guess.Rate > 0 {
		return fmt.Sprintf("it is for %s packets a second or more", lint.Grouped(fmt.Sprint(at.Guess.Rate)))
	}
	return "one in twenty series differs so much by chance"
}

// name returns what a replay is, for people.
func (r *replayReport) name() string {
	switch r.Replay {
	case "again":
		return "the same bytes, a second later"
	case "fresh":
		return "made anew, a second later"
	case "hour_later":
		return "an hour later"
	case "day_later":
		return "a day later"
	case "elsewhere":
		return fmt.Sprintf("by %v, a minute later", r.by)
	case "reversed":
		return "in reverse order, in their place"
	case "without_last":
		return "without the last, in their place"
	case "without_first":
		return "without the first, in their place"
	}
	return r.Replay
}

// text writes what a replay did.
func (r *replayReport) text(b *strings.Builder, f *attackFlags) {
	var did []string
	for _, at := range r.Doors {
		switch {
		case !at.Opened:
			did = append(did, fmt.Sprintf("%s refused (%s)", at.Door, at.Reason))
		case at.ByDesign && !f.countReplays:
			did = append(did, at.Door+" opened, by design")
		default:
			did = append(did, at.Door+" opened")
		}
	}
	if len(did) == 0 {
		did = []string{"no door opened"}
	}
	fmt.Fprintf(b, "  %-36s %s\n", r.name()+":", strings.Join(did, ", "))
}
