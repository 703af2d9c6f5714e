package main

import (
	"fmt"
	"strings"
)

const (
	width = 830 // pixels: the column in which a README is shown
	sans  = `-apple-system,BlinkMacSystemFont,'Segoe UI','Noto Sans',Helvetica,Arial,sans-serif`
	mono  = `ui-monospace,SFMono-Regular,'SF Mono',Menlo,Consolas,'Liberation Mono',monospace`
)

// A theme is the colours of one kind of page.
type theme struct {
	text, muted    string
	line           string // borders and guides
	closed, window string // surfaces
	open, onOpen   string // a surface, and text on it
	accent         string // what the visitor does
	green, red     string // text in a terminal
}

var (
	light = theme{
		text: "#1f2328", muted: "#59636e", line: "#d1d9e0", closed: "#e6eaef", window: "#f6f8fa",
		open: "#1f883d", onOpen: "#ffffff", accent: "#0969da", green: "#1a7f37", red: "#cf222e",
	}
	dark = theme{
		text: "#f0f6fc", muted: "#9198a1", line: "#3d444d", closed: "#262c36", window: "#151b23",
		open: "#238636", onOpen: "#ffffff", accent: "#4493f8", green: "#3fb950", red: "#f85149",
	}
)

// A canvas is an SVG picture that is being written.
type canvas struct {
	theme
	strings.Builder
}

func newCanvas(t theme, height int, title string) *canvas {
	c := &canvas{theme: t}
	c.put(`<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %[1]d %[2]d" role="img">`,
		width, height)
	c.put(`<title>%s</title>`, escape(title))
	return c
}

func (c *canvas) put(format string, arguments ...any) {
	fmt.Fprintf(c, format+"\n", arguments...)
}

// finish returns the picture.
func (c *canvas) finish() string {
	c.put(`</svg>`)
	return c.String()
}

// A font is how text is set. Anchor is "start", "middle" or "end".
type font struct {
	family         string
	size           string
	weight, anchor string
	fill           string
}

func (c *canvas) text(x, y float64, f font, text string) {
	if f.weight == "" {
		f.weight = "400"
	}
	if f.anchor == "" {
		f.anchor = "start"
	}
	c.put(`<text x="%g" y="%g" font-family="%s" font-size="%s" font-weight="%s" text-anchor="%s" fill="%s">%s</text>`,
		x, y, f.family, f.size, f.weight, f.anchor, f.fill, escape(text))
}

// box draws a rectangle whose corners have the given radius.
func (c *canvas) box(x, y, w, h, radius float64, fill string) {
	c.put(`<rect x="%g" y="%g" width="%g" height="%g" rx="%g" fill="%s"/>`, x, y, w, h, radius, fill)
}

// stroke draws a straight line. Attributes describe how, such as its width.
func (c *canvas) stroke(x1, y1, x2, y2 float64, colour, attributes string) {
	c.put(`<line x1="%g" y1="%g" x2="%g" y2="%g" stroke="%s" %s/>`, x1, y1, x2, y2, colour, attributes)
}

func escape(text string) string {
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(text)
}
