package main

// Where the four parts of the timeline begin, in pixels from the left.
const (
	left    = 1.0
	knocks  = 142.0
	opens   = 420.0
	closes  = 688.0
	right   = width - 1.0
	barHigh = 36.0
)

// timeline draws one door in time: closed, four knocks, open for 30 seconds for the address that
// knocked, closed again. The session that began in between continues.
func timeline(t theme) string {
	c := newCanvas(t, 318, "A port is closed. A visitor knocks on four other ports. "+
		"The port is open for 30 seconds, for this visitor alone. Then it is closed again.")
	c.headings()
	for _, x := range []float64{opens, closes} {
		c.stroke(x, 154, x, 292, c.line, `stroke-dasharray="3 4"`)
	}
	c.visitor(76)
	c.lane(156, "tcp/22, seen by 203.0.113.9")
	c.state(166, left, opens, false, "closed")
	c.state(166, opens, closes, true, "open")
	c.state(166, closes, right, false, "closed")
	c.lane(232, "tcp/22, seen by everybody else")
	c.state(242, left, right, false, "closed")
	c.text(opens, 308, font{family: sans, size: "12", anchor: "middle", fill: c.muted}, "last knock")
	c.text(closes, 308, font{family: sans, size: "12", anchor: "middle", fill: c.muted}, "30 s later")
	return c.finish()
}

func (c *canvas) headings() {
	for _, h := range []struct {
		x           float64
		title, note string
	}{
		{left, "Closed", "no answer"},
		{knocks, "Knock", "four ports, in order, within 8 s"},
		{opens, "Open for 30 s", "for the address that knocked"},
		{closes, "Closed again", "by the kernel"},
	} {
		c.text(h.x, 20, font{family: sans, size: "17", weight: "600", fill: c.theme.text}, h.title)
		c.text(h.x, 42, font{family: sans, size: "13", fill: c.muted}, h.note)
	}
}

// visitor draws the knocks, and the session that follows them.
func (c *canvas) visitor(y float64) {
	c.lane(y+4, "203.0.113.9")
	middle := y + 24
	for i, port := range []string{"tcp/7421", "udp/9133", "tcp/2904", "tcp/6117"} {
		x := knocks + 36 + 68*float64(i)
		c.put(`<circle cx="%g" cy="%g" r="6" fill="%s"/>`, x, middle, c.accent)
		c.text(x, middle+26, font{family: mono, size: "12", anchor: "middle", fill: c.theme.text}, port)
	}
	c.stroke(knocks+36, middle, knocks+240, middle, c.accent, `stroke-width="1.5"`)
	begin := opens + 36.0
	c.stroke(begin, middle, right-6, middle, c.accent, `stroke-width="4" stroke-linecap="round"`)
	c.put(`<path d="M%g %g l9 7 l-9 7" fill="none" stroke="%s" stroke-width="4" stroke-linecap="round" stroke-linejoin="round"/>`,
		right-14, middle-7, c.accent)
	c.text(begin, middle+26, font{family: sans, size: "13", fill: c.theme.text},
		"an SSH session: it goes on when the port closes")
}

func (c *canvas) lane(y float64, label string) {
	c.text(left, y, font{family: sans, size: "13", fill: c.muted}, label)
}

// state draws how a port is from one moment to another.
func (c *canvas) state(y, from, to float64, open bool, label string) {
	fill, ink, weight := c.closed, c.muted, "400"
	if open {
		fill, ink, weight = c.theme.open, c.onOpen, "600"
	}
	c.box(from+1, y, to-from-2, barHigh, 6, fill)
	c.text((from+to)/2, y+barHigh/2+5, font{family: sans, size: "14", weight: weight, anchor: "middle", fill: ink},
		label)
}
