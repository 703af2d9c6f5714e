package manual

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// body returns what a page has behind its name.
func body(p *Page) string {
	_, rest, _ := strings.Cut(p.String(), ".SH \"NAME\"\n")
	_, rest, _ = strings.Cut(rest, "\n")
	return rest
}

func newPage() *Page { return New("a-b", 8, "does a-b", "2026-11-30", "sesame 1") }

func TestHeader(t *testing.T) {
	p := newPage()
	want := `.\" Made by sesame manual: edits are lost.
.TH "A-B" 8 "2026-11-30" "sesame 1" "Sesame"
.ad l
.nh
.nr HY 0
.ss 12 0
.SH "NAME"
a\-b \- does a\-b
`
	if diff := cmp.Diff(want, p.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if p.Path() != "man8/a-b.8" {
		t.Errorf("the path is %s", p.Path())
	}
}

// TestBlocks holds what each kind of block is in roff.
func TestBlocks(t *testing.T) {
	for _, tt := range []struct {
		name  string
		write func(p *Page)
		want  string
	}{
		{"paragraphs", func(p *Page) { p.Heading("ONE"); p.Para("a"); p.Para("b") }, ".SH \"ONE\"\na\n.PP\nb\n"},
		{"a part", func(p *Page) { p.Subheading(Bold("x y")); p.Para("a") }, ".SS \"\\fBx y\\fR\"\na\n"},
		{"a synopsis", func(p *Page) { p.Heading("S"); p.Synopsis("a b [flags] [C|D...]"); p.Synopsis("a e") },
			".SH \"S\"\n\\fBa\\fR \\fBb\\fR [\\fIOPTION\\fR]... [\\fIC\\fR|\\fID\\fR...]\n.br\n\\fBa\\fR \\fBe\\fR\n"},
		{"an item", func(p *Page) {
			p.Item(Bold("-c")+" "+Italic("FILE"), "It `is` one.")
			p.Indent(7)
			p.Para("More.")
			p.Outdent()
		},
			".TP\n\\fB\\-c\\fR \\fIFILE\\fR\nIt \\fBis\\fR one.\n.RS 7\n.PP\nMore.\n.RE\n"},
		{"a long tag", func(p *Page) { p.Item(strings.Repeat("long ", 20)+"tag", "Text.") },
			".TP\n" + strings.Repeat("long ", 20) + "tag\nText.\n"},
		{"a tag like a request", func(p *Page) { p.Item(".luarc", "Text.") }, ".TP\n\\&.luarc\nText.\n"},
		{"literal lines", func(p *Page) { p.Para("a"); p.Literal("\n.x 'y' -z\n\n\tw\n") },
			".PP\na\n.RS 4\n.sp\n.EX\n\\&.x \\(aqy\\(aq \\-z\n\n    w\n.EE\n.RE\n"},
		{"literal lines behind a heading", func(p *Page) { p.Heading("H"); p.Literal("x") }, ".SH \"H\"\n.RS 4\n.EX\nx\n.EE\n.RE\n"},
		{"prose", func(p *Page) { p.Prose("one\ntwo\n\n  three\n\n  four\n\nfive\n  six\n") },
			".PP\none two\n.RS 4\n.sp\n.EX\nthree\n\nfour\n.EE\n.RE\n.PP\nfive\n.RS 4\n.sp\n.EX\nsix\n.EE\n.RE\n"},
	} {
		p := newPage()
		p.fresh = false
		tt.write(p)
		if diff := cmp.Diff(tt.want, body(p)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
}

// TestLines holds that lines are broken at words, and that none begins like a request.
func TestLines(t *testing.T) {
	p := newPage()
	p.Heading("H")
	p.Para(strings.Repeat("b ", 38) + "cc " + strings.Repeat("e ", 38) + "fff " + strings.Repeat("a ", 36) + "a .c " + strings.Repeat("d", 80) + " e")
	want := ".SH \"H\"\n" + strings.TrimSpace(strings.Repeat("b ", 38)) + " cc\n" + strings.TrimSpace(strings.Repeat("e ", 38)) + "\nfff " + strings.Repeat("a ", 36) + "a\n\\&.c\n" + strings.Repeat("d", 80) + "\ne\n"
	if diff := cmp.Diff(want, body(p)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestInline(t *testing.T) {
	for text, want := range map[string]string{
		"a `b c` d":                                     `a \fBb c\fR d`,
		"**strong** text":                               `\fBstrong\fR text`,
		"see [the page](doors.md#x)":                    `see the page (doors.md)`,
		"see [doors.md](doors.md#one)":                  `see doors.md`,
		"see [above](#x) and [a](http:x)":               `see above and a`,
		"see [Limits](configuration.md#limits)":         `see Limits (\fBsesame.toml\fR(5))`,
		"in [configuration.md](configuration.md)":       `in \fBsesame.toml\fR(5)`,
		"[sesame.toml](configuration.md#options) is":    `\fBsesame.toml\fR(5) is`,
		"[scripts.md](scripts.md), [it](manual.md#a-b)": `\fBsesame\-scripts\fR(7), it (\fBsesame\-completion\fR(8))`,
		"with --set and -c, a-b (-s)":                   `with \fB\-\-set\fR and \fB\-c\fR, a\-b (\fB\-s\fR)`,
		"sesame.toml(5) has it":                         `\fBsesame.toml\fR(5) has it`,
		`\ ' ^ ~ ü§ "`:                                  `\e \(aq \(ha \(ti \[u00FC]\[u00A7] "`,
		"a\x1b[2J\u202e\xffb":                           `a?[2J??b`,
		"two\n  lines":                                  `two lines`,
		"`` `x` ``":                                     `\fB\(gax\(ga\fR`,
	} {
		if got := inline(text); got != want {
			t.Errorf("%q: got  %s\nwant %s", text, got, want)
		}
	}
}
