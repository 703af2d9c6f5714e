package condition

import (
	"slices"

	"sesame/daemon/engine"
	"sesame/daemon/geo/country"
)

// Continent is the kind of condition that holds for sources in the countries of one of some
// continents.
func Continent() Kind {
	return Kind{
		Name: "continent", Type: "{ continent, ..., options }",
		Doc:     "Makes a condition that holds for sources on one of the continents: africa, antarctica, asia, europe, north-america, oceania, south-america.",
		Example: `local near = sesame.continent { "europe", "north-america" }`,
		Item: &Option{Type: "the name of a continent", Expected: `a continent such as "europe"`,
			Parse: parser(country.ParseContinent)},
		Build: func(name string, v Values) (engine.Condition, error) {
			names, err := distinct[string](v, `a continent such as "europe"`)
			return &continents{name, names}, err
		},
	}
}

type continents struct {
	name  string
	names []string
}

// Check implements [engine.Condition]. The continent is that of the country, by a table of the
// program: databases differ in what they call Europe.
func (n *continents) Check(c *engine.Call) (engine.Verdict, error) {
	a := c.Ask(engine.Question{Kind: engine.FactCountry, Address: c.Source})
	if !a.Known {
		return unknown(n, c.Source, "country", a), nil
	}
	continent := country.Continent(a.Country)
	return decided(n, slices.Contains(n.names, continent), c.Source, a.Country+", "+continent, a,
		engine.Field{Key: engine.FieldCountry, Value: a.Country}), nil
}

// Name implements [engine.Condition].
func (n *continents) Name() string { return n.name }

// String returns "near: europe, north-america".
func (n *continents) String() string { return n.name + ": " + some(n.names) }

// needsFact marks a condition that holds for no address that databases do not know.
func (n *continents) needsFact() {}
