package lint

import (
	"sesame/daemon/engine"
	"sesame/scripting/condition"
)

// lists finds lists of networks that decide nothing. A list that was cut when it was written may
// have its comments alone, and a network of no bits may be a cut line.
func (c *checker) lists(d *engine.Door) {
	condition.Walk(d.When, func(one engine.Condition) {
		for _, list := range condition.ListsOf(one) {
			name := "the list"
			if list.File != "" {
				name = list.File
			}
			switch {
			case list.Networks == 0:
				c.door(EmptyList, d, one.Name()+": "+name+" has comments alone, and holds for nobody",
					"when the file should have networks, fetch or write it again")
			case list.Everybody:
				c.door(Everybody, d, one.Name()+": "+name+" has a network of all addresses, and holds for everybody",
					"remove 0.0.0.0/0 and ::/0 from the list")
			}
		}
	})
}
