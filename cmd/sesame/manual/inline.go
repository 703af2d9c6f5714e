package manual

import (
	"regexp"
	"strings"
	"sync"
)

// Bold returns text in bold, for a tag.
func Bold(text string) string { return `\fB` + escaped(text) + `\fR` }

// Italic returns a placeholder, for a tag.
func Italic(text string) string { return `\fI` + escaped(text) + `\fR` }

// Plain returns text for a tag.
func Plain(text string) string { return escaped(text) }

// spans finds code, strong text, links, options and references to pages in Markdown.
var spans = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile("(``.+?``|`[^`]+`)" + // code
		`|\*\*([^*]+)\*\*` + // strong
		`|\[([^\]]+)\]\(([^)]+)\)` + // a link
		`|(^|[ (])(--?[a-zA-Z][a-z-]*)` + // an option
		`|\b([a-z][a-z.-]*)\(([1-8])\)`) // a page
})

// inline returns a paragraph of Markdown for roff. Lines are joined.
func inline(text string) string {
	text = strings.Join(strings.Fields(text), " ")
	var b strings.Builder
	at := 0
	for _, m := range spans().FindAllStringSubmatchIndex(text, -1) {
		b.WriteString(escaped(text[at:m[0]]))
		group := func(n int) string {
			if m[2*n] < 0 {
				return ""
			}
			return text[m[2*n]:m[2*n+1]]
		}
		b.WriteString(span(group))
		at = m[1]
	}
	return b.String() + escaped(text[at:])
}

// span returns what one of the spans looks like.
func span(group func(int) string) string {
	switch {
	case group(1) != "":
		return Bold(strings.TrimSpace(strings.Trim(group(1), "`")))
	case group(2) != "":
		return Bold(group(2))
	case group(3) != "":
		return link(group(3), group(4))
	case group(6) != "":
		return escaped(group(5)) + Bold(group(6))
	}
	return Bold(group(7)) + "(" + group(8) + ")"
}

// manuals are the pages of the documentation that are manual pages, too.
func manuals() map[string]string {
	return map[string]string{"configuration.md": "sesame.toml(5)", "scripts.md": "sesame-scripts(7)", "manual.md": "sesame-completion(8)"}
}

// link returns the text of a link, and the page that it leads to.
func link(text, to string) string {
	file, _, _ := strings.Cut(to, "#")
	page, known := manuals()[file]
	name, _, _ := strings.Cut(page, "(")
	switch {
	case known && (text == file || text == name): // the page itself is named
		return inline(page)
	case known:
		return inline(text) + " (" + inline(page) + ")"
	case file == text || !strings.HasSuffix(file, ".md"):
		return inline(text)
	}
	return inline(text) + " (" + escaped(file) + ")"
}

// Call returns the call of a command, for a tag: its words in bold and its placeholders in italics.
func Call(call string) string {
	words := strings.Fields(call)
	for i, word := range words {
		name := strings.Trim(word, "[].|")
		switch {
		case strings.ToUpper(name) == name || name == "flags":
			words[i] = placeholders(strings.ReplaceAll(word, "[flags]", "[OPTION]..."))
		default:
			words[i] = Bold(word)
		}
	}
	return strings.Join(words, " ")
}

// placeholders returns a word such as "[ADDRESS|NETWORK]", with its names in italics.
func placeholders(word string) string {
	var b strings.Builder
	name := ""
	end := func() {
		if name != "" {
			b.WriteString(Italic(name))
			name = ""
		}
	}
	for _, r := range word {
		if strings.ContainsRune("[].|", r) {
			end()
			b.WriteString(escaped(string(r)))
			continue
		}
		name += string(r)
	}
	end()
	return b.String()
}
