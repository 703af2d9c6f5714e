// Package manual turns text into manual pages, in the macros of man(7).
//
// It writes them itself, since the generator that comes with cobra goes over Markdown and loses
// what a page consists of: it has no exit status, no files and no cross references, and its pages
// draw warnings of groff and mandoc.
package manual

import (
	"fmt"
	"strings"
)

// A Page is a manual page, which grows from its beginning to its end.
type Page struct {
	Name    string // "sesame-run"
	Section int
	b       strings.Builder
	fresh   bool // whether a heading or a tag was written last, behind which no space follows
}

// New returns a page that has its header and its name. Title is a phrase, date is that of the
// contents, and source names the program and its version.
func New(name string, section int, title, date, source string) *Page {
	p := &Page{Name: name, Section: section}
	p.line(`.\" Made by sesame manual: edits are lost.`)
	// The name and the date are words that need no escapes, and readers of the header know none.
	p.line(`.TH "%s" %d "%s" %s "Sesame"`, strings.ToUpper(name), section, date, quoted(source))
	p.line(".ad l")
	// Names must not be taken apart. The macro .EE sets what the register HY says.
	p.line(".nh")
	p.line(".nr HY 0")
	p.line(".ss 12 0") // one space behind a sentence, wherever its line ends
	p.Heading("NAME")
	p.line(`%s \- %s`, escaped(name), escaped(title))
	return p
}

// Path returns where the page lies below a directory of manual pages.
func (p *Page) Path() string { return fmt.Sprintf("man%d/%s.%d", p.Section, p.Name, p.Section) }

// String returns the page.
func (p *Page) String() string { return p.b.String() }

func (p *Page) line(format string, args ...any) { fmt.Fprintf(&p.b, format+"\n", args...) }

// Heading begins a section.
func (p *Page) Heading(text string) {
	p.line(".SH %s", quoted(text))
	p.fresh = true
}

// Subheading begins a part of a section. Its text is a tag.
func (p *Page) Subheading(tag string) {
	p.line(".SS %s", quotedRaw(tag))
	p.fresh = true
}

// Para writes a paragraph of Markdown.
func (p *Page) Para(text string) {
	if !p.fresh {
		p.line(".PP")
	}
	p.text(inline(text))
}

// Synopsis writes how a command is called, such as "sesame doc [NAME]".
func (p *Page) Synopsis(call string) {
	if !p.fresh {
		p.line(".br")
	}
	p.text(Call(call))
}

// Item writes a tag, such as an option, and a paragraph of Markdown about it. Further paragraphs
// follow with Para between [Page.Indent] and [Page.Outdent].
func (p *Page) Item(tag, text string) {
	p.line(".TP")
	p.line("%s", guarded(tag)) // one line, however long: the next one is text
	p.fresh = true
	p.text(inline(text))
}

// Bullet writes an item of a list behind a mark, such as "1." or a dot.
func (p *Page) Bullet(mark, text string) {
	if mark == "" {
		mark = `\(bu`
	}
	p.line(".IP %s 4", quotedRaw(mark))
	p.fresh = true
	p.text(inline(text))
}

// Indent moves what follows to the right, until [Page.Outdent].
func (p *Page) Indent(columns int) { p.line(".RS %d", columns) }

// Outdent ends what [Page.Indent] began.
func (p *Page) Outdent() { p.line(".RE") }

// Literal writes lines as they are, such as commands.
func (p *Page) Literal(text string) {
	p.Indent(4)
	if !p.fresh {
		p.line(".sp")
	}
	p.line(".EX")
	for line := range strings.Lines(strings.Trim(text, "\n") + "\n") {
		p.line("%s", guarded(escaped(strings.TrimSuffix(line, "\n"))))
	}
	p.line(".EE")
	p.Outdent()
	p.fresh = false
}

// columns bounds the lines of a page's source.
const columns = 78

// text writes words that are escaped already, in lines of some columns.
func (p *Page) text(words string) {
	line := ""
	for word := range strings.SplitSeq(words, " ") {
		if line != "" && len(line)+1+len(word) > columns {
			p.line("%s", guarded(line))
			line = ""
		}
		if line != "" {
			line += " "
		}
		line += word
	}
	if line != "" {
		p.line("%s", guarded(line))
	}
	p.fresh = false
}
