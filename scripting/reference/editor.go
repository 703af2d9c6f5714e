package reference

import (
	_ "embed" // for the types that the table of the API does not have
	"fmt"
	"strings"

	"sesame/scripting"
)

// preamble declares the types that stand for words of the documentation.
//
//go:embed preamble.lua
var preamble string

// Definitions returns a file for the Lua language server (LuaLS), which many editors use: the
// types, documentation and examples of an API, in the annotations LuaCATS. Nothing runs it.
func Definitions(api API) string {
	var b strings.Builder
	b.WriteString(preamble)
	objects := merged(api.Objects)
	for _, o := range objects {
		for _, m := range o.Members {
			options(&b, o.Name, m)
		}
	}
	for _, t := range api.Tables {
		tableClass(&b, t)
	}
	for _, o := range objects {
		class(&b, o)
	}
	return b.String()
}

// optionsClass is the name of the class of the options of a function.
func optionsClass(object string, m scripting.Member) string {
	if object == table {
		return "sesame." + m.Name + ".options"
	}
	return "sesame." + object + "." + m.Name + ".options"
}

// options declares the table of options of a function, if it takes one.
func options(b *strings.Builder, object string, m scripting.Member) {
	if !m.Callable() {
		return
	}
	for _, p := range signatureOf(m).params {
		if p.table == nil {
			continue
		}
		fmt.Fprintf(b, "---@class %s\n", optionsClass(object, m))
		switch {
		case p.table.one:
			fmt.Fprintf(b, "---@field [1] %s\n", p.table.item)
		case p.table.item != "":
			fmt.Fprintf(b, "---@field [integer] %s\n", p.table.item)
		}
		for _, o := range m.Options {
			option(b, o)
		}
		b.WriteString("\n")
	}
}

// firsts has what the tables within a test have first, without a key. What is missing has nothing
// there.
var firsts = map[string]string{
	"knock": "[1] sesame.port", "opens": "[1]? string", "refuses": "[1]? string", "misses": "[1]? string", "fails": "[1]? string",
	"closes": "[1]? string", "runs": "[1] string", "allows": "[1]? sesame.port",
}

// tableClass declares a table within a test.
func tableClass(b *strings.Builder, t scripting.Table) {
	comment(b, t.Doc)
	fmt.Fprintf(b, "---@class %s.%s\n", tests, t.Name)
	if first, ok := firsts[t.Name]; ok {
		fmt.Fprintf(b, "---@field %s\n", first)
	}
	for _, o := range t.Options {
		option(b, o)
	}
	b.WriteString("\n")
}

// option declares one option, with its documentation above it.
func option(b *strings.Builder, o scripting.Option) {
	kind, _ := optionType(o)
	maybe, others := "?", ""
	switch o.Default {
	case scripting.Required:
		maybe = ""
	case "":
	default:
		others = " The default is " + o.Default + "."
	}
	comment(b, o.Doc+others)
	comment(b, "")
	comment(b, "Value: "+o.Type+".")
	fmt.Fprintf(b, "---@field %s%s %s\n", o.Name, maybe, kind)
}

// class declares an object: its fields, and then its functions.
func class(b *strings.Builder, o scripting.Object) {
	name, variable := "sesame."+o.Name, "local "+o.Name+" = {}"
	if o.Name == table {
		name, variable = table, table+" = {}"
	}
	comment(b, o.Doc)
	fmt.Fprintf(b, "---@class %s\n", name)
	for _, m := range o.Members {
		if m.Callable() {
			continue
		}
		kind, _ := typeOf(m.Type)
		comment(b, m.Doc)
		fmt.Fprintf(b, "---@field %s %s\n", m.Name, kind)
	}
	fmt.Fprintf(b, "%s\n\n", variable)
	for _, m := range o.Members {
		if m.Callable() {
			method(b, o.Name, m)
		}
	}
}

// method declares a function of an object, with its documentation and its example.
func method(b *strings.Builder, object string, m scripting.Member) {
	comment(b, m.Doc)
	comment(b, "")
	comment(b, "```lua")
	comment(b, m.Example)
	comment(b, "```")
	s := signatureOf(m)
	params, results := s.params, m.Returns
	if s.curried {
		result := "fun(options: " + kindOf(object, m, params[1]) + ")"
		if results != "" {
			result += ": " + results
		}
		params, results = params[:1], result
	}
	var names []string
	for _, p := range params {
		names = append(names, p.name)
		maybe := ""
		if p.maybe {
			maybe = "?"
		}
		fmt.Fprintf(b, "---@param %s%s %s\n", p.name, maybe, kindOf(object, m, p))
	}
	for result := range strings.SplitSeq(results, ", ") {
		if result != "" {
			fmt.Fprintf(b, "---@return %s\n", result)
		}
	}
	fmt.Fprintf(b, "function %s%s%s(%s) end\n\n", object, separator(object, m), m.Name, strings.Join(names, ", "))
}

// kindOf returns the type of a parameter.
func kindOf(object string, m scripting.Member, p param) string {
	switch {
	case p.table == nil:
		return p.kind
	case p.table.only:
		return optionsClass(object, m)
	}
	return "string|" + optionsClass(object, m)
}

// comment writes a line of documentation. Editors show it as Markdown.
func comment(b *strings.Builder, text string) {
	b.WriteString(strings.TrimRight("--- "+text, " ") + "\n")
}
