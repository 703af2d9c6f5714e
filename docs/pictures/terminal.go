package main

import (
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"
)

// A cell of the terminal, in pixels. The width is 0.6 of the size, as in the common fonts of one
// width; textLength makes every font fit.
const (
	cellWidth  = 7.5
	cellHeight = 18.0
	fontSize   = "12.5"
	margin     = 20.0
	titleBar   = 34.0
)

// A span is text of one look. The zero look is plain.
type span struct {
	column     int
	text       string
	bold, dim  bool
	foreground string // "", "31" or "32": red and green, as in the capture
}

// excerpt returns the lines of a capture by script(1), up to the one that begins with end.
func excerpt(capture, end string) ([]string, error) {
	lines := strings.Split(strings.ReplaceAll(capture, "\r", ""), "\n")
	if len(lines) > 0 && strings.HasPrefix(lines[0], "Script started") {
		lines = lines[1:]
	}
	for i, line := range lines {
		if strings.HasPrefix(escapes.ReplaceAllString(line, ""), end) {
			return strings.Split(strings.Trim(strings.Join(lines[:i], "\n"), "\n"), "\n"), nil
		}
	}
	return nil, fmt.Errorf("the capture of the demo has no line that begins with %q", end)
}

var escapes = regexp.MustCompile("\x1b\\[([0-9;]*)m")

// spans splits a line at its escape sequences. Each line of the demo begins plain.
func spans(line string) (found []span) {
	var look span
	put := func(text string) {
		if text != "" {
			next := look
			next.text = text
			found = append(found, next)
			look.column += utf8.RuneCountInString(text)
		}
	}
	rest := line
	for {
		at := escapes.FindStringSubmatchIndex(rest)
		if at == nil {
			put(rest)
			return found
		}
		put(rest[:at[0]])
		switch code := rest[at[2]:at[3]]; code {
		case "1":
			look.bold = true
		case "2":
			look.dim = true
		case "31", "32":
			look.foreground = code
		default:
			look = span{column: look.column}
		}
		rest = rest[at[1]:]
	}
}

// terminal draws lines of a terminal in a window.
func terminal(t theme, title string, lines []string) string {
	height := titleBar + 2*margin - 6 + cellHeight*float64(len(lines))
	c := newCanvas(t, int(height), "What a terminal shows after "+title)
	c.put(`<rect x="0.5" y="0.5" width="%g" height="%g" rx="10" fill="%s" stroke="%s"/>`,
		width-1.0, height-1, c.window, c.line)
	c.stroke(0.5, titleBar+0.5, width-0.5, titleBar+0.5, c.line, "")
	for i := range 3 {
		c.put(`<circle cx="%g" cy="%g" r="5.5" fill="%s"/>`, margin+18*float64(i), titleBar/2+0.5, c.line)
	}
	c.text(width/2, titleBar/2+5, font{family: mono, size: "12.5", anchor: "middle", fill: c.muted}, title)
	c.put(`<g font-family="%s" font-size="%s">`, mono, fontSize)
	for i, line := range lines {
		y := titleBar + margin + 8 + cellHeight*float64(i)
		for _, s := range spans(line) {
			c.span(y, s)
		}
	}
	c.put(`</g>`)
	return c.finish()
}

func (c *canvas) span(y float64, s span) {
	fill, weight := c.theme.text, "400"
	switch {
	case s.foreground == "31":
		fill = c.red
	case s.foreground == "32":
		fill = c.green
	case s.dim:
		fill = c.muted
	}
	if s.bold {
		weight = "700"
	}
	// SVG collapses blanks, but not non-breaking ones.
	text := strings.ReplaceAll(s.text, " ", "\u00a0")
	c.put(`<text x="%g" y="%g" textLength="%g" fill="%s" font-weight="%s">%s</text>`,
		margin+cellWidth*float64(s.column), y, cellWidth*float64(utf8.RuneCountInString(text)), fill, weight, escape(text))
}
