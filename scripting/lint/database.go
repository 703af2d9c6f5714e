package lint

import (
	"fmt"
	"slices"

	"sesame/daemon/engine"
	"sesame/scripting/source"
)

// Databases say which facts some database has.
type Databases struct{ Countries, ASNumbers bool }

// databases finds facts that the set asks for and that no database has: one finding for each kind,
// at the first place.
func (c *checker) databases(have *Databases) {
	for _, kind := range []struct {
		fact       engine.FactKind
		there      bool
		what, plan string
	}{
		{engine.FactCountry, have.Countries, "the country", "countries"},
		{engine.FactASN, have.ASNumbers, "the autonomous system", "AS numbers"},
	} {
		at := slices.IndexFunc(c.set.Asks, func(s source.AskSite) bool { return s.Kind == kind.fact })
		if kind.there || at < 0 {
			continue
		}
		site := c.set.Asks[at]
		c.found = append(c.found, Finding{ID: NoDatabase, File: site.File, Line: site.Line,
			Message: fmt.Sprintf("%s of a source is asked for, and no database has %s", kind.what, kind.plan),
			Hint:    "a condition that needs it refuses everybody as no_data: name a database with [geo] databases in sesame.toml, or here with --geo FILE",
		})
	}
}
