package lint

import (
	"fmt"
	"strings"

	"sesame/daemon/engine"
	"sesame/scripting/condition"
)

// denials finds functions that let sources pass of which nothing is known.
func (c *checker) denials() {
	for _, site := range c.set.Denials {
		_, name, _ := strings.Cut(site.Field, ".")
		kind, what := "country", "country"
		if name != "country" {
			kind, what = "asn", "autonomous system"
		}
		when, otherwise := fmt.Sprintf("%s ~= %s is true", site.Field, site.Value), fmt.Sprintf("%s == %s is false", site.Field, site.Value)
		if site.Table != "" {
			looked := site.Table + "[" + site.Field + "]"
			when, otherwise = "not "+looked+" is true", looked+" is nil"
		}
		message := fmt.Sprintf("%s when no database knows the %s", when, what)
		if site.Equal {
			message = fmt.Sprintf("%s when no database knows the %s, and the function goes on", otherwise, what)
		}
		hint := fmt.Sprintf("test first: if not %s then return false end", site.Field)
		if site.Table == "" && name != "asn_name" {
			hint = fmt.Sprintf("to turn sources away, write when = sesame.none { sesame.%s { %s } }, which refuses unknown ones too; or %s", kind, site.Value, hint)
		}
		c.found = append(c.found, Finding{ID: UnknownPasses, File: site.File, Line: site.Line, Message: message, Hint: hint})
	}
}

// private finds doors that ask for a private address and for something that no
// database knows of private addresses.
func (c *checker) private(d *engine.Door) {
	for _, lan := range d.When {
		if !condition.OnlyPrivate(lan) {
			continue
		}
		for _, place := range d.When {
			if condition.NeedsFact(place) {
				c.door(PrivateNever, d, fmt.Sprintf("%s has private addresses alone, which are in no database, so %s never holds with it: nothing opens the door", lan.Name(), place.Name()),
					fmt.Sprintf("a list asks for all of its conditions; write when = sesame.any { %s, %s }", lan.Name(), place.Name()))
				return
			}
		}
	}
}
