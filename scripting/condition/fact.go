package condition

import (
	"fmt"
	"net/netip"
	"strings"

	"sesame/daemon/engine"
)

// decided is the verdict of a condition on what a database says of a source: where it is. The
// verdict has its text and fields also when the condition holds, for conditions that ask for the
// opposite.
func decided(n engine.Condition, holds bool, source netip.Addr, where string, a engine.Answer, f engine.Field) engine.Verdict {
	v := engine.Verdict{
		Condition: n.Name(), Detail: fmt.Sprintf("%s; %s is in %s", n, source, where), Fields: []engine.Field{f},
	}
	if a.From != "" {
		v.Detail += " (" + a.From + ")"
		v.Fields = append(v.Fields, engine.Field{Key: engine.FieldDatabase, Value: a.From})
	}
	if holds {
		v.Outcome = engine.Yes
	}
	return v
}

// besideLAN begins the advice how to let private addresses in.
const besideLAN = "sesame.any { lan, "

// unknown is the verdict of a condition when no database knows what it asks of a source.
func unknown(n engine.Condition, source netip.Addr, what string, a engine.Answer) engine.Verdict {
	v := engine.Verdict{Outcome: engine.Unknown, Condition: n.Name()}
	if a.From != "" {
		v.Fields = []engine.Field{{Key: engine.FieldDatabase, Value: a.From}}
	}
	why := ": no database is given, with [geo] in sesame.toml or with --geo"
	switch {
	case a.From != "" && a.Why != "":
		why = fmt.Sprintf(" (%s: %s)", a.From, a.Why)
	case a.From != "" || a.Why != "":
		why = " (" + a.From + a.Why + ")"
	}
	if own := privateNetwork(source); own.IsValid() {
		v.Detail = fmt.Sprintf("%s; %s is private, so no database knows its %s: write "+besideLAN+"%s }, with lan = sesame.networks { %q }",
			n, source, what, n.Name(), own)
		return v
	}
	v.Detail = fmt.Sprintf("%s; the %s of %s is not known%s", n, what, source, why)
	return v
}

// distinct returns the entries of a list, of which there is one at least, and none twice.
func distinct[T comparable](v Values, one string) ([]T, error) {
	items := list[T](v)
	if len(items) == 0 {
		return nil, fmt.Errorf("expected at least %s", one)
	}
	seen := make(map[T]bool, len(items))
	for _, item := range items {
		if seen[item] {
			return nil, fmt.Errorf("%v stands twice in the list", item)
		}
		seen[item] = true
	}
	return items, nil
}

// some returns "ES, PT". Of a long list it shows the first eight.
func some[T any](items []T) string {
	const shown = 8
	var texts []string
	for _, item := range items[:min(shown, len(items))] {
		texts = append(texts, fmt.Sprint(item))
	}
	text := strings.Join(texts, ", ")
	if more := len(items) - shown; more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}
