package draft

import (
	"fmt"
	"maps"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"time"

	"sesame/daemon/engine"
	"sesame/daemon/transcript"
	"sesame/scripting/spec"
	"sesame/simulate/suite"
)

// text returns the test in Lua.
func (d *drafter) text(test *spec.Test) string {
	var b strings.Builder
	if d.Comment != "" {
		fmt.Fprintf(&b, "-- %s\n", strings.Map(printable, d.Comment))
	}
	fmt.Fprintf(&b, "sesame.test %s {\n", spec.Quote(d.Name))
	from := d.head(&b, test)
	for i := range test.Steps {
		fmt.Fprintf(&b, "  %s,\n", stepText(&test.Steps[i], from))
	}
	b.WriteString("}\n")
	return b.String()
}

// printable keeps a comment on its line.
func printable(r rune) rune {
	if r < ' ' || r == 0x7f {
		return -1
	}
	return r
}

// head writes what is the same for all steps, and returns who sends them; invalid when there are
// several.
func (d *drafter) head(b *strings.Builder, test *spec.Test) (from netip.Addr) {
	if !test.At.Equal(spec.Begin) {
		fmt.Fprintf(b, "  at = %s,\n", spec.Quote(moment(test.At)))
	}
	from = test.Steps[0].From
	for i := range test.Steps {
		if source := test.Steps[i].From; source.IsValid() && source != from {
			from = netip.Addr{}
		}
	}
	if from.IsValid() && from != spec.Knocker {
		fmt.Fprintf(b, "  from = %s,\n", spec.Quote(from.String()))
	}
	if len(test.Host) > 0 {
		fmt.Fprintf(b, "  host = %s,\n", table(addresses(test.Host)))
	}
	if len(d.Options) > 0 {
		var words []string
		for _, name := range slices.Sorted(maps.Keys(d.Options)) {
			words = append(words, optionKey(name)+" = "+d.option(name))
		}
		fmt.Fprintf(b, "  options = %s,\n", table(words))
	}
	if len(test.Facts) > 0 {
		b.WriteString("  facts = {\n")
		for i := range test.Facts {
			fmt.Fprintf(b, "    %s,\n", factText(&test.Facts[i]))
		}
		b.WriteString("  },\n")
	}
	return from
}

func addresses(all []netip.Addr) (words []string) {
	for _, a := range all {
		words = append(words, spec.Quote(a.String()))
	}
	return words
}

var identifier = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// optionKey returns the name of an option as the key of a table.
func optionKey(name string) string {
	if identifier.MatchString(name) && !slices.Contains(keywords, name) {
		return name
	}
	return "[" + spec.Quote(name) + "]"
}

// keywords are no names in Lua 5.1 (section 2.1).
var keywords = strings.Fields("and break do else elseif end false for function if in local nil not or repeat return then true until while goto")

// option returns the value of an option: a list is one text with commas.
func (d *drafter) option(name string) string {
	value := d.Options[name]
	if !d.Lists[name] {
		return spec.Quote(value)
	}
	var words []string
	for part := range strings.SplitSeq(value, ",") {
		words = append(words, spec.Quote(part))
	}
	return table(words)
}

// moment returns a time as a test has it.
func moment(t time.Time) string {
	if t = t.UTC(); t.Nanosecond() == 0 {
		return t.Format("2006-01-02 15:04:05") + " UTC"
	}
	return t.Format(time.RFC3339Nano)
}

// factText returns what is known of one address or host.
func factText(f *spec.Fact) string {
	subject, words := f.Host, addresses(f.Addresses)
	if f.Network.IsValid() {
		subject = f.Network.Addr().String()
	}
	if f.Country != "" {
		words = append(words, "country = "+spec.Quote(f.Country))
	}
	if f.ASN != 0 {
		words = append(words, fmt.Sprintf("asn = %d", f.ASN))
	}
	if f.ASName != "" {
		words = append(words, "asn_name = "+spec.Quote(f.ASName))
	}
	return fmt.Sprintf("[%s] = %s", spec.Quote(subject), table(words))
}

// stepText returns a step as a table. From is who sends it where it does not say so.
func stepText(s *spec.Step, from netip.Addr) string {
	var words []string
	knocker := from
	if s.Action == spec.Knock {
		words, knocker = append(words, action(s)), s.From
		if s.MinKnocks == 0 {
			words = append(words, "min_knocks = 0") // such as one that ended an attempt
		}
		if s.From != from {
			words = append(words, "from = "+spec.Quote(s.From.String()))
		}
		if s.Delay != spec.Delay && (s.Door != "" || len(s.Knocks) > 1) {
			words = append(words, "delay = "+spec.Quote(transcript.Duration(s.Delay)))
		}
	}
	if s.Wait > 0 {
		words = append(words, "wait = "+spec.Quote(transcript.Duration(s.Wait)))
	}
	return table(append(words, suite.Expectations(shortened(s, knocker))...))
}

// mostColumns is the length of a list beyond which each entry has a line.
const mostColumns = 80

// action returns what a step sends.
func action(s *spec.Step) string {
	if s.Door != "" {
		return "knock = " + spec.Quote(s.Door)
	}
	var words []string
	for i := range s.Knocks {
		words = append(words, packetText(&s.Knocks[i], s.Delay))
	}
	if one := table(words); len(one) <= mostColumns {
		return "knock = " + one
	}
	return "knock = {\n    " + strings.Join(words, ",\n    ") + " }"
}

// packetText returns a packet, behind which others have a delay.
func packetText(p *spec.Packet, delay time.Duration) string {
	words := []string{spec.Quote(p.Port.String())}
	if p.Flags != "" {
		words = append(words, "flags = "+spec.Quote(p.Flags))
	}
	if len(p.Payload) > 0 {
		words = append(words, "payload = "+spec.Quote(string(p.Payload)))
	}
	if p.Delay != 0 && p.Delay != delay {
		words = append(words, "delay = "+spec.Quote(transcript.Duration(p.Delay)))
	}
	if len(words) == 1 {
		return words[0]
	}
	return table(words)
}

// shortened returns the expectations of a step without what a reader can do without: the source
// when it is who knocks, the reason of a condition, and what happens again.
func shortened(s *spec.Step, knocker netip.Addr) *spec.Step {
	short := &spec.Step{Runs: s.Runs}
	other := func(source netip.Prefix) netip.Prefix {
		if source == single(knocker) {
			return netip.Prefix{}
		}
		return source
	}
	for _, e := range s.Strict {
		if e.Source = other(e.Source); e.Reason == string(engine.When) {
			e.Reason = ""
		}
		again := slices.IndexFunc(short.Strict, func(earlier spec.Expectation) bool {
			earlier.Times = e.Times
			return earlier == e
		})
		if again >= 0 {
			short.Strict[again].Times++
			continue
		}
		short.Strict = append(short.Strict, e)
	}
	for _, a := range s.Allows {
		a.Source = other(a.Source)
		short.Allows = append(short.Allows, a)
	}
	return short
}

func table(words []string) string {
	if len(words) == 0 {
		return "{}"
	}
	return "{ " + strings.Join(words, ", ") + " }"
}
