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
	"sesame/daemon/packet"
	"sesame/daemon/transcript"
	"sesame/scripting/spec"
)

// text returns the test in Lua.
func (d *drafter) text(steps []step) string {
	var b strings.Builder
	if d.Comment != "" {
		fmt.Fprintf(&b, "-- %s\n", strings.Map(printable, d.Comment))
	}
	fmt.Fprintf(&b, "sesame.test %s {\n", quote(d.Name))
	from := d.head(&b, steps)
	for i := range steps {
		if s := &steps[i]; !s.rest || len(s.events) > 0 {
			fmt.Fprintf(&b, "  %s,\n", s.text(from))
		}
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
func (d *drafter) head(b *strings.Builder, steps []step) (from netip.Addr) {
	if begin := steps[0].begin; !begin.Equal(spec.Begin) {
		fmt.Fprintf(b, "  at = %s,\n", quote(moment(begin)))
	}
	from = steps[0].source()
	for i := range steps {
		if source := steps[i].source(); source.IsValid() && source != from {
			from = netip.Addr{}
		}
	}
	if from.IsValid() && from != spec.Knocker {
		fmt.Fprintf(b, "  from = %s,\n", quote(from.String()))
	}
	if hosts := d.hosts(); len(hosts) > 0 {
		var words []string
		for _, host := range hosts {
			words = append(words, quote(host.String()))
		}
		fmt.Fprintf(b, "  host = { %s },\n", strings.Join(words, ", "))
	}
	if len(d.Options) > 0 {
		var words []string
		for _, name := range slices.Sorted(maps.Keys(d.Options)) {
			words = append(words, optionKey(name)+" = "+d.option(name))
		}
		fmt.Fprintf(b, "  options = { %s },\n", strings.Join(words, ", "))
	}
	d.writeFacts(b)
	return from
}

var identifier = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// optionKey returns the name of an option as the key of a table.
func optionKey(name string) string {
	if identifier.MatchString(name) && !slices.Contains(keywords, name) {
		return name
	}
	return "[" + quote(name) + "]"
}

// keywords are no names in Lua 5.1 (section 2.1).
var keywords = strings.Fields("and break do else elseif end false for function if in local nil not or repeat return then true until while goto")

// option returns the value of an option: a list is one text with commas.
func (d *drafter) option(name string) string {
	value := d.Options[name]
	if !d.Lists[name] {
		return quote(value)
	}
	var words []string
	for part := range strings.SplitSeq(value, ",") {
		words = append(words, quote(part))
	}
	return "{ " + strings.Join(words, ", ") + " }"
}

// moment returns a time as a test has it.
func moment(t time.Time) string {
	if t = t.UTC(); t.Nanosecond() == 0 {
		return t.Format("2006-01-02 15:04:05") + " UTC"
	}
	return t.Format(time.RFC3339Nano)
}

// writeFacts writes what scripts asked: one line for each address or host.
func (d *drafter) writeFacts(b *strings.Builder) {
	var subjects []string
	known := map[string][]string{}
	for _, one := range d.facts {
		subject, words := fact(one)
		if _, some := known[subject]; !some {
			subjects = append(subjects, subject)
		}
		known[subject] = append(known[subject], words...)
	}
	if len(subjects) == 0 {
		return
	}
	b.WriteString("  facts = {\n")
	for _, subject := range subjects {
		fmt.Fprintf(b, "    [%s] = %s,\n", quote(subject), table(known[subject]))
	}
	b.WriteString("  },\n")
}

// fact returns what an answer is about, and what it says.
func fact(one engine.Asked) (subject string, words []string) {
	switch q, a := one.Question, one.Answer; {
	case q.Kind == engine.FactHost:
		for _, address := range a.Addresses {
			words = append(words, quote(address.String()))
		}
		return q.Name, words
	case !a.Known:
		return q.Address.String(), nil
	case q.Kind == engine.FactCountry:
		return q.Address.String(), []string{"country = " + quote(a.Country)}
	default:
		words = []string{fmt.Sprintf("asn = %d", a.ASN)}
		if a.ASName != "" {
			words = append(words, "asn_name = "+quote(a.ASName))
		}
		return q.Address.String(), words
	}
}

// text returns a step as a table. From is who sends it where it does not say so.
func (s *step) text(from netip.Addr) string {
	var words []string
	if len(s.packets) > 0 {
		words = append(words, s.action()...)
		if s.stray {
			words = append(words, "min_knocks = 0") // such as one that ended an attempt
		}
		if source := s.source(); source != from {
			words = append(words, "from = "+quote(source.String()))
		}
		if s.delay != spec.Delay && (s.door != "" || len(s.packets) > 1) {
			words = append(words, "delay = "+quote(duration(s.delay)))
		}
	}
	wait := s.wait
	if s.rest {
		wait = s.events[len(s.events)-1].at.Sub(s.begin)
	}
	if wait > 0 {
		words = append(words, "wait = "+quote(duration(wait)))
	}
	who := s.source()
	if !who.IsValid() {
		who = from
	}
	return table(append(words, expectations(s.events, who)...))
}

// mostColumns is the length of a list beyond which each entry has a line.
const mostColumns = 80

// action returns what the step sends.
func (s *step) action() []string {
	if s.door != "" {
		return []string{"knock = " + quote(s.door)}
	}
	var words []string
	for i, p := range s.packets {
		one := []string{quote(p.port.String())}
		if p.port.Proto == packet.TCP && p.flags != packet.SYN {
			one = append(one, "flags = "+quote(p.flags.Names()))
		}
		if p.payload != "" {
			one = append(one, "payload = "+quote(p.payload))
		}
		if p.delay != s.delay && (i+1 < len(s.packets) || p.delay < s.delay) {
			one = append(one, "delay = "+quote(duration(p.delay)))
		}
		if len(one) == 1 {
			words = append(words, one[0])
		} else {
			words = append(words, table(one))
		}
	}
	if one := table(words); len(one) <= mostColumns {
		return []string{"knock = " + one}
	}
	return []string{"knock = {\n    " + strings.Join(words, ",\n    ") + " }"}
}

// duration spells a duration as tests have it.
func duration(d time.Duration) string { return transcript.Duration(d) }

// expectations returns what a step must bring about, in the order of the keys of a step.
func expectations(events []event, source netip.Addr) (words []string) {
	for _, key := range []string{"opens", "refuses", "misses", "fails", "closes", "allows", "runs"} {
		var entries []string
		counts, counted := map[string]int{}, key != "allows" && key != "runs"
		for i := range events {
			if e := &events[i]; e.key == key {
				text := e.text(source)
				if counts[text]++; counts[text] == 1 || !counted {
					entries = append(entries, text)
				}
			}
		}
		for i, text := range entries {
			if n := counts[text]; n > 1 && counted {
				entries[i] = repeated(text, n)
			}
		}
		switch len(entries) {
		case 0:
		case 1:
			words = append(words, key+" = "+entries[0])
		default:
			words = append(words, key+" = "+table(entries))
		}
	}
	return words
}

// repeated adds how often something happens.
func repeated(text string, n int) string {
	text = strings.TrimSuffix(strings.TrimPrefix(text, "{ "), " }")
	return fmt.Sprintf("{ %s, times = %d }", text, n)
}

// text returns an event as an expectation. A source is named when it is not the one that knocks.
func (e *event) text(source netip.Addr) string {
	var words []string
	switch {
	case e.key == "allows":
		words = append(words, "port = "+quote(e.port.String()))
	case e.key == "runs" && e.undo:
		return "{ " + quote(e.command) + ", undo = true }"
	case e.key == "runs":
		return quote(e.command)
	case e.key == "fails":
		words = append(words, "door = "+quote(e.door))
	case e.door != "":
		words = append(words, quote(e.door))
	}
	if e.source.IsValid() && (!e.source.IsSingleIP() || e.source.Addr() != source) {
		words = append(words, "source = "+quote(addressText(e.source)))
	}
	for _, one := range [][2]string{{"condition", e.condition}, {"reason", e.reason}} {
		if one[1] != "" {
			words = append(words, one[0]+" = "+quote(one[1]))
		}
	}
	if e.key == "allows" {
		words = append(words, "ttl = "+quote(duration(e.ttl)))
	}
	if len(words) == 1 && strings.HasPrefix(words[0], `"`) {
		return words[0]
	}
	return table(words)
}

// addressText returns a single address without its length.
func addressText(p netip.Prefix) string {
	if p.IsSingleIP() {
		return p.Addr().String()
	}
	return p.String()
}

func table(words []string) string {
	if len(words) == 0 {
		return "{}"
	}
	return "{ " + strings.Join(words, ", ") + " }"
}

// quote spells a text in Lua. Bytes that are no printable ASCII are escaped by their numbers (Lua
// 5.1, section 2.1).
func quote(text string) string {
	var b strings.Builder
	b.WriteByte('"')
	for i := range len(text) {
		switch c := text[i]; {
		case c == '"' || c == '\\':
			b.WriteByte('\\')
			b.WriteByte(c)
		case c < ' ' || c >= 0x7f:
			fmt.Fprintf(&b, `\%03d`, c)
		default:
			b.WriteByte(c)
		}
	}
	b.WriteByte('"')
	return b.String()
}
