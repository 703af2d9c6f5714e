package lint

import (
	"fmt"

	"sesame/daemon/engine"
)

// families finds, in set mode, doors that can be knocked at over IPv4 or IPv6 while the
// configuration names no set for such sources: each such grant fails. The finding is at the first
// of these doors.
func (c *checker) families(m *Machine) {
	if !m.SetMode {
		return
	}
	for _, f := range []struct {
		missing bool
		v6      bool
		name    string
		key     string
	}{
		{m.Set4 == "" && m.Set6 != "", false, "IPv4", "set4"},
		{m.Set6 == "" && m.Set4 != "" && m.IPv6, true, "IPv6", "set6"},
	} {
		if !f.missing {
			continue
		}
		for _, d := range c.set.Engine.Doors {
			if gives(d) && (!d.Target.IsValid() || d.Target.Is6() == f.v6) {
				c.door(NoSet, d, fmt.Sprintf("whoever knocks over %s gets nothing: set mode needs a set for such addresses, and firewall.%s names none", f.name, f.key),
					fmt.Sprintf("name a set with %s below [firewall], or knock over the other family alone: knock -%s", f.key, map[bool]string{true: "4", false: "6"}[f.v6]))
				break
			}
		}
	}
}

// gives reports whether a door can give access to ports.
func gives(d *engine.Door) bool { return len(d.Guards) > 0 }
