package condition

import (
	"slices"

	"sesame/daemon/engine"
	"sesame/daemon/geo/country"
)

// Country is the kind of condition that holds for sources in one of some countries.
func Country() Kind {
	return Kind{
		Name: "country", Type: "{ country, ..., options }",
		Doc:     "Makes a condition that holds for sources in one of the countries.",
		Example: `local iberia = sesame.country { "ES", "PT" }`,
		Item: &Option{Type: "a code of ISO 3166-1", Expected: `a country such as "ES"`,
			Parse: parser(country.Parse)},
		Build: func(name string, v Values) (engine.Condition, error) {
			codes, err := distinct[string](v, `a country such as "ES"`)
			return &countries{name, codes}, err
		},
	}
}

type countries struct {
	name  string
	codes []string
}

// Check implements [engine.Condition].
func (n *countries) Check(c *engine.Call) (engine.Verdict, error) {
	a := c.Ask(engine.Question{Kind: engine.FactCountry, Address: c.Source})
	if !a.Known {
		return unknown(n, c.Source, "country", a), nil
	}
	return decided(n, slices.Contains(n.codes, a.Country), c.Source, a.Country, a,
		engine.Field{Key: engine.FieldCountry, Value: a.Country}), nil
}

// Name implements [engine.Condition].
func (n *countries) Name() string { return n.name }

// String returns "iberia: ES, PT".
func (n *countries) String() string { return n.name + ": " + some(n.codes) }

// needsFact marks a condition that holds for no address that databases do not know.
func (n *countries) needsFact() {}
