package knockd

import (
	"iter"
	"regexp"
	"strings"
	"sync"
)

// A command is what a shell reads up to a newline or a semicolon, in a file that a shell reads for
// its assignments.
type command struct {
	line  int      // at which it begins
	raw   string   // as it is written, without the comment behind it
	words []string // without their quotes; nothing is expanded
	// What a shell does beyond splitting words, "" for nothing: `$X`, or a sign such as |.
	expands, sign string
	open          byte // a quote that has no end, or 0
	comment       string
	// Whether a semicolon ends it, and what is before it in its line.
	semicolon bool
	behind    before
}

// before is what a line has before a command.
type before byte

const (
	nothing before = iota
	semicolonOnly
	anotherCommand
)

// commands yields the commands of a text by the rules of the POSIX shell: quotes, a backslash, and
// comments behind a blank. Lines may end as on any system. A backslash at the end of a line, and an
// open quote, join it with the next.
func commands(text string) iter.Seq[command] {
	text = strings.TrimPrefix(text, "\ufeff")
	text = strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(text)
	return func(yield func(command) bool) {
		s := &shellText{rest: text, line: 1}
		for s.rest != "" {
			c := s.command()
			switch {
			case !c.semicolon:
				s.before = nothing
			case len(c.words) > 0:
				s.before = anotherCommand
			case s.before == nothing:
				s.before = semicolonOnly
			}
			if len(c.words) > 0 && !yield(c) {
				return
			}
			s.skipDocument(c.semicolon)
		}
	}
}

// A shellText is what is left to read.
type shellText struct {
	rest string
	line int
	// before is what is before it in its line.
	before before
	// document is the last line of a here-document that begins behind this line, "" for none.
	document string
}

// documents matches what begins a here-document, and its last line.
var documents = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^<<-?[ \t]*\\?["']?(\w+)`) })

// skipDocument skips a here-document that begins at the next line, which is no command. Without its
// last line it is the rest of the file.
func (s *shellText) skipDocument(inLine bool) {
	if s.document == "" || inLine {
		return
	}
	for s.rest != "" {
		line, _, _ := strings.Cut(s.rest, "\n")
		s.skip(min(len(line)+1, len(s.rest)))
		if strings.TrimLeft(line, "\t") == s.document {
			break
		}
	}
	s.document = ""
}

// maxJoined is how many lines quotes join. One that is open for longer has no end: what follows is
// read again as commands, and a text that leaves a quote open in each line would take hours.
const maxJoined = 64

// command reads one command, and the newline or semicolon behind it. When a quote has no end, the
// command is its first line alone, and the quote ends with it.
func (s *shellText) command() command {
	from, at := s.rest, s.line
	c := command{line: at, behind: s.before}
	s.words(&c, at+maxJoined)
	if c.open != 0 {
		open := c.open
		s.rest, s.line, s.document, c = from, at, "", command{line: at, behind: s.before}
		s.words(&c, at)
		c.open = open
	}
	return c
}

// words reads the words of a command. A quote ends at the end of a line from the last one on.
func (s *shellText) words(c *command, last int) {
	var word strings.Builder
	begun := false
	end := func() {
		if begun {
			c.words = append(c.words, word.String())
		}
		word.Reset()
		begun = false
	}
	from := s.rest
	defer end()
	for s.rest != "" {
		c.raw = from[:len(from)-len(s.rest)]
		switch ch := s.rest[0]; {
		case ch == '\n' || ch == ';':
			c.semicolon = ch == ';'
			s.skip(1)
			return
		case ch == ' ' || ch == '\t':
			end()
			s.skip(1)
		case ch == '#' && !begun:
			c.comment = s.rest[:len(s.rest)-len(behindLine(s.rest))]
			s.skip(len(c.comment))
			s.skip(min(len(s.rest), 1))
			return
		case ch == '\'' || ch == '"':
			begun = true
			s.skip(1)
			s.quoted(c, &word, ch, last)
		case ch == '\\' && strings.HasPrefix(s.rest, "\\\n"):
			s.skip(2)
		case ch == '\\' && len(s.rest) > 1:
			begun = true
			word.WriteByte(s.rest[1])
			s.skip(2)
		default:
			begun = true
			s.note(c, ch, "|&<>()`$")
			if found := documents().FindStringSubmatch(s.rest); found != nil {
				s.document = found[1]
			}
			word.WriteByte(ch)
			s.skip(1)
		}
	}
	c.raw = from
}

// behindLine returns a text from the newline on that ends its first line.
func behindLine(text string) string {
	if i := strings.IndexByte(text, '\n'); i >= 0 {
		return text[i:]
	}
	return ""
}

// quoted reads the text behind a quote, and the quote that ends it.
func (s *shellText) quoted(c *command, word *strings.Builder, quote byte, last int) {
	for s.rest != "" && !(s.line >= last && s.rest[0] == '\n') {
		ch := s.rest[0]
		switch {
		case ch == quote:
			s.skip(1)
			return
		case ch == '\\' && quote == '"' && len(s.rest) > 1 && strings.IndexByte("\"\\$`\n", s.rest[1]) >= 0:
			if s.rest[1] != '\n' {
				word.WriteByte(s.rest[1])
			}
			s.skip(2)
			continue
		case quote == '"':
			s.note(c, ch, "`$")
		}
		word.WriteByte(ch)
		s.skip(1)
	}
	c.open = quote
}

// note notes a character that means more than itself. A dollar sign with nothing to expand behind
// it is one like any other.
func (s *shellText) note(c *command, ch byte, special string) {
	switch {
	case strings.IndexByte(special, ch) < 0:
	case ch == '$' || ch == '`':
		if name := expansion(s.rest); name != "" && c.expands == "" {
			c.expands = name
		}
	case c.sign == "":
		c.sign = string(ch)
	}
}

// expansion returns what a shell would expand at the beginning of a text: "$X", "${X", "$(" or "`".
func expansion(text string) string {
	if text[0] == '`' {
		return "`"
	}
	end := 1
	for end < len(text) && (text[end] == '{' && end == 1 || text[end] == '_' || isAlphanumeric(text[end])) {
		end++
	}
	if end == 1 && len(text) > 1 && strings.IndexByte("(@*#?!-$", text[1]) >= 0 {
		end = 2
	}
	if end == 1 {
		return ""
	}
	return text[:end]
}

func isAlphanumeric(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'z'
}

func (s *shellText) skip(n int) {
	s.line += strings.Count(s.rest[:n], "\n")
	s.rest = s.rest[n:]
}
