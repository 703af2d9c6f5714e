package reference

import (
	"slices"
	"strings"

	"sesame/scripting"
)

// A signature is how a function is called.
type signature struct {
	// curried means that a call has a name and then a table: sesame.door "ssh" { ... }.
	curried bool
	params  []param
}

// A param is one parameter of a function.
type param struct {
	name, kind string // kind is a type of editors
	maybe      bool
	table      *list // what a table of options has without a key; nil: it is no such table
}

// A list is what stands in a table of options without a key.
type list struct {
	item string // the type of each; "": nothing may
	one  bool   // there is one, the first
	only bool   // the table is the only way to write the parameter
}

// signatureOf reads how the documentation writes a call. Its forms are those of
// [scripting.Member.Type]: "name" { options }, (a, { options }), { a, ..., options },
// { options, a, ... }, "a" or "b".
func signatureOf(m scripting.Member) signature {
	text := m.Type
	if rest, ok := strings.CutPrefix(text, `"name" `); ok {
		return signature{curried: true, params: []param{{name: "name", kind: "string"}, paramOf(rest, m)}}
	}
	if text == "() or { options }" {
		p := paramOf("{ options }", m)
		p.maybe = true
		return signature{params: []param{p}}
	}
	inner, ok := strings.CutPrefix(text, "(")
	if !ok {
		return signature{params: []param{paramOf(text, m)}}
	}
	var s signature
	for i, piece := range strings.Split(strings.TrimSuffix(inner, ")"), ", ") {
		p := paramOf(piece, m)
		p.maybe = i >= m.Least() && p.name != "..."
		s.params = append(s.params, p)
	}
	return s
}

// paramOf reads one parameter.
func paramOf(text string, m scripting.Member) param {
	ways := strings.Split(text, " or ")
	if i := slices.IndexFunc(ways, func(way string) bool { return strings.HasPrefix(way, "{") }); i >= 0 {
		return param{name: "options", table: listOf(ways[i], len(ways) == 1)}
	}
	if object, ok := strings.CutPrefix(text, "function("); ok {
		object, _, _ = strings.Cut(object, ")")
		return param{name: "call", kind: function(object)}
	}
	if len(ways) > 1 {
		return param{name: m.Name, kind: strings.Join(ways, "|")}
	}
	name := strings.Trim(text, `"`)
	kind, ok := parameters[name]
	if !ok {
		kind = "string"
	}
	return param{name: name, kind: kind}
}

// listOf reads what a table of options has without a key, such as { network, ..., options }.
func listOf(text string, only bool) *list {
	l := &list{only: only}
	for word := range strings.SplitSeq(strings.Trim(text, "{} "), ", ") {
		if word == "options" || word == "..." {
			continue
		}
		l.item, l.one = "string", strings.HasPrefix(word, `"`)
		if kind, ok := items[word]; ok {
			l.item = kind
		}
		return l
	}
	return l
}
