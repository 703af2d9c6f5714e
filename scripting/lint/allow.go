package lint

import (
	"slices"

	"sesame/daemon/engine"
	"sesame/daemon/packet"
	"sesame/scripting"
	"sesame/scripting/source"
)

// allows finds calls of allow for computed ports, and for ports that no door
// guards.
func (c *checker) allows() {
	for _, site := range c.set.Allows {
		d := c.doorOf(site)
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
			if !c.guarded[port] {
				c.site(Unguarded, site, "no door guards "+port.String()+": it is as open without this allow as with it, unless another firewall shuts it",
					"add "+port.String()+" to the guards of a door")
			}
		}
	}
}

func (c *checker) site(id string, site source.AllowSite, message, hint string) {
	c.found = append(c.found, Finding{ID: id, File: site.File, Line: site.Line, Door: site.Door, Message: message, Hint: hint})
}

// doorOf returns the door whose registration contains a call; nil when
// none does.
func (c *checker) doorOf(site source.AllowSite) *engine.Door {
	if d := c.byName[site.Door]; d != nil && d.File == site.File {
		return d
	}
	return nil
}

// anyPort stands for all ports, in a list of ports that a door can open.
var anyPort packet.Port

// ways finds guarded ports that no door opens, and ports that only doors with
// conditions open. A condition can fail for good: when the clock is wrong or a
// list is out of date, nobody gets in.
func (c *checker) ways() {
	some, free := c.waysIn()
	looked := map[packet.Port]bool{}
	for _, d := range c.set.Engine.Doors {
		for _, port := range d.Guards {
			if looked[port] || d.Observe { // which closes nothing
				continue
			}
			looked[port] = true
			switch {
			case !some[port] && !some[anyPort]:
				c.door(NoWayIn, d, "no door opens "+port.String()+", and it is shut to everyone: nobody gets in",
					"call allow in on_open or on_knock, or leave on_open out: a door without it allows its guards")
			case !free[port] && !free[anyPort]:
				c.door(NoWayBack, d, "every door to "+port.String()+" has a when: if the clock is wrong or a list is out of date, nobody gets in",
					"add a door to "+port.String()+" without when, with a long sequence, for the day when it is needed")
			}
		}
	}
}

// waysIn returns the ports that some door opens, and the ports that some door
// opens whatever the clock and the lists say.
func (c *checker) waysIn() (some, free map[packet.Port]bool) {
	some, free = map[packet.Port]bool{}, map[packet.Port]bool{}
	sites, always := c.sites(), c.grow(c.free)
	for _, d := range c.set.Engine.Doors {
		if d.Observe { // it opens nothing
			continue
		}
		for _, port := range opens(d, sites) {
			some[port] = true
			free[port] = free[port] || always[d]
		}
	}
	return some, free
}

// NoWays returns the guarded ports that no door of a set opens, in the order of
// the doors. Comments that allow the finding do not matter.
func NoWays(set *scripting.Set) []packet.Port {
	c := newChecker(set)
	some, _ := c.waysIn()
	var ports []packet.Port
	for _, d := range set.Engine.Doors {
		for _, port := range d.Guards {
			if !d.Observe && !some[port] && !some[anyPort] && !slices.Contains(ports, port) {
				ports = append(ports, port)
			}
		}
	}
	return ports
}

// A place is a part of the text of a script and its modules: one registration,
// or with door "" everything outside of registrations.
type place struct{ script, door string }

func (c *checker) sites() map[place][]source.AllowSite {
	sites := map[place][]source.AllowSite{}
	for _, file := range c.set.Files {
		allows, _ := c.set.Sites(file.Path)
		for _, site := range allows {
			at := place{file.Path, site.Door}
			sites[at] = append(sites[at], site)
		}
	}
	return sites
}

// opens returns the ports that a door can allow. When they are not known,
// [anyPort] is among them. A function outside of doors counts for each door of
// its script, since each may call it.
func opens(d *engine.Door, sites map[place][]source.AllowSite) []packet.Port {
	if !d.Listen && d.Hooks&engine.HookOpen == 0 {
		return d.Guards
	}
	if scripting.InConf(d) { // the functions of the script are not for it
		return nil
	}
	var ports []packet.Port
	for _, site := range slices.Concat(sites[place{d.Script, d.Name}], sites[place{d.Script, ""}]) {
		ports = append(ports, nameable(d, site)...)
	}
	return ports
}

// nameable returns the ports that one call of allow can open for a door. A door
// with the option ports may allow its guards and these ports only.
func nameable(d *engine.Door, site source.AllowSite) []packet.Port {
	switch {
	case site.Literal && len(site.Ports) == 0:
		return d.Guards
	case site.Literal && d.Ports == nil:
		return site.Ports
	case d.Ports == nil:
		return []packet.Port{anyPort}
	}
	listed := slices.Concat(d.Guards, d.Ports)
	if !site.Literal {
		return listed
	}
	return slices.DeleteFunc(listed, func(port packet.Port) bool { return !slices.Contains(site.Ports, port) })
}
