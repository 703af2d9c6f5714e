package condition

import (
	"testing"

	"sesame/daemon/engine"
)

func TestCertain(t *testing.T) {
	lan, country := engine.Condition(&networks{}), engine.Condition(&countries{})
	for name, tt := range map[string]struct {
		c    engine.Condition
		want bool
	}{
		"networks": {lan, true}, "granted": {&granted{}, true}, "completed": {&completed{}, true},
		"country": {country, false}, "hosts": {&hosts{}, false}, "asn": {&systems{}, false}, "continent": {&continents{}, false}, "window": {&window{}, false},
		"any of networks": {&anyOf{of(lan, lan)}, true}, "any with a country": {&anyOf{of(lan, country)}, false},
		"all within all": {&allOf{of(lan, &allOf{of(country)})}, false}, "what a function decides": {fixed{}, false},
	} {
		if got := Certain(tt.c); got != tt.want {
			t.Errorf("%s: certain is %v", name, got)
		}
	}
}
