package condition

import (
	"slices"
	"strconv"
	"strings"

	"sesame/daemon/engine"
	"sesame/daemon/geo/country"
)

// ASN is the kind of condition that holds for sources whose network is announced by one of some
// autonomous systems, which are providers and large organisations.
func ASN() Kind {
	return Kind{
		Name: "asn", Type: "{ number, ..., options }",
		Doc:     "Makes a condition that holds for sources in one of the autonomous systems (providers and large organisations).",
		Example: `local provider = sesame.asn { 3352, "AS12479" }`,
		Item: &Option{Type: "an AS number", Expected: `an AS number such as 3352 or "AS3352"`, Numbers: true,
			Parse: parser(parseASN)},
		Build: func(name string, v Values) (engine.Condition, error) {
			numbers, err := distinct[asn](v, `an AS number such as 3352 or "AS3352"`)
			return &systems{name, numbers}, err
		},
	}
}

// An asn is the number of an autonomous system.
type asn uint32

// String returns "AS3352".
func (n asn) String() string { return "AS" + strconv.FormatUint(uint64(n), 10) }

func parseASN(s string) (asn, error) {
	n, err := country.ParseASN(s)
	return asn(n), err
}

type systems struct {
	name    string
	numbers []asn
}

// Check implements [engine.Condition].
func (n *systems) Check(c *engine.Call) (engine.Verdict, error) {
	a := c.Ask(engine.Question{Kind: engine.FactASN, Address: c.Source})
	if !a.Known {
		return unknown(n, c.Source, "AS", a), nil
	}
	number := asn(a.ASN)
	return decided(n, slices.Contains(n.numbers, number), c.Source, strings.TrimSpace(number.String()+" "+a.ASName), a,
		engine.Field{Key: engine.FieldASN, Value: number.String()}), nil
}

// Name implements [engine.Condition].
func (n *systems) Name() string { return n.name }

// String returns "provider: AS3352, AS12479".
func (n *systems) String() string { return n.name + ": " + some(n.numbers) }

// needsFact marks a condition that holds for no address that databases do not know.
func (n *systems) needsFact() {}
