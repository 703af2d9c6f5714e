package page

import (
	"strings"

	"sesame/daemon/engine"
	"sesame/daemon/transcript"
)

// effect notes what a door did. A grant for a network has another source than the knock, so the
// attempt is the one that was opened by the same packet.
func (c *Collector) effect(e *engine.Event) {
	if a := c.opened; a != nil && a.Door == e.Door && a.at == positionOf(e) {
		a.gave(transcript.Describe(e))
	}
	if e.Grant == 0 || !e.Effect.Lasts() {
		return
	}
	end := e.Time.Add(e.TTL)
	if g := c.live[e.Grant]; g != nil {
		g.End = end // it is prolonged
		return
	}
	if len(c.grants) >= MaxAttempts {
		c.left.Grants++
		return
	}
	g := &Grant{
		Source: transcript.Source(e.Source), Door: e.Door, Side: c.side, Begin: e.Time, End: end,
		What: "command", Observed: e.Observed, Number: e.Grant,
	}
	if e.Port.Number != 0 {
		g.What = e.Port.String()
	}
	c.grants = append(c.grants, g)
	c.live[e.Grant] = g
}

// close notes that a grant ended.
func (c *Collector) close(e *engine.Event) {
	if g := c.live[e.Grant]; g != nil {
		g.End, g.Reason = e.Time, strings.ReplaceAll(string(e.Reason), "_", " ")
		delete(c.live, e.Grant)
	}
}
