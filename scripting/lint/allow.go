package lint

import (
	"slices"

	"sesame/daemon/engine"
	"sesame/daemon/packet"
	"sesame/scripting"
)

// allows looks at the places that give access.
func (c *checker) allows() {
	for _, site := range c.set.Allows {
		d := doorOf(c.set, site)
		ports := site.Ports
		if !site.Literal {
			if d == nil || d.Ports == nil {
				c.site(AnyPort, site, "the port of this allow is computed: it can be any port",
					`write the port as a literal, or list what it can be in the door: ports = { "tcp/443" }`)
				continue
			}
			ports = d.Ports
		}
		for _, port := range ports {
			if !c.guarded(port) {
				c.site(Unguarded, site, "no door guards "+port.String()+": it is as open without this allow as with it, unless another firewall shuts it",
					"add "+port.String()+" to the guards of a door")
			}
		}
	}
}

func (c *checker) site(id string, site scripting.AllowSite, message, hint string) {
	c.found = append(c.found, Finding{ID: id, File: site.File, Line: site.Line, Door: site.Door, Message: message, Hint: hint})
}

// doorOf returns the door that a place stands in, nil when it stands in none.
func doorOf(set *scripting.Set, site scripting.AllowSite) *engine.Door {
	i := slices.IndexFunc(set.Engine.Doors, func(d *engine.Door) bool { return d.Script == site.File && d.Name == site.Door })
	if i < 0 {
		return nil
	}
	return set.Engine.Doors[i]
}

func (c *checker) guarded(port packet.Port) bool {
	return slices.ContainsFunc(c.set.Engine.Doors, func(d *engine.Door) bool { return slices.Contains(d.Guards, port) })
}
