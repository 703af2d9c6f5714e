// Package country turns a country code into a continent, and finds codes and AS numbers that people
// write by mistake.
//
// The codes are those of ISO 3166-1 alpha-2, and XK, which databases use for Kosovo. The continents
// are those of GeoNames. A country that lies on two continents has one of them here: Russia, Cyprus
// and Kosovo are in Europe; Turkey, Georgia, Armenia, Azerbaijan and Kazakhstan in Asia; Egypt in
// Africa.
package country

import (
	"fmt"
	"slices"
	"strings"

	"sesame/daemon/spelling"
)

// The continents, as scripts name them. The two letters of databases would be ambiguous: "EU" is
// the European Union for a person, and "NA" is Namibia.
const (
	africa       = "africa"
	antarctica   = "antarctica"
	asia         = "asia"
	europe       = "europe"
	northAmerica = "north-america"
	oceania      = "oceania"
	southAmerica = "south-america"
)

var continents = []string{africa, antarctica, asia, europe, northAmerica, oceania, southAmerica}

// An entry is one country.
type entry struct{ code, continent string }

// find is a binary search. That of package slices would allocate memory for a text that is made
// of bytes.
func find(code string) (entry, bool) {
	low, high := 0, len(countries)
	for low < high {
		middle := (low + high) / 2
		if countries[middle].code < code {
			low = middle + 1
		} else {
			high = middle
		}
	}
	if low == len(countries) || countries[low].code != code {
		return entry{}, false
	}
	return countries[low], true
}

// Code returns the country that a database means. UK is GB, as in the files of Tor. It is empty
// for a code of no country, such as EU, AP or ZZ. The result does not share memory with the text.
func Code(text string) string {
	if text == "UK" {
		text = "GB"
	}
	e, _ := find(text)
	return e.code
}

// Continent returns the continent of a code that [Code] or [Parse] returned.
func Continent(code string) string {
	e, _ := find(code)
	return e.continent
}

// Parse reads a code that a person wrote: two capital letters. The error says what to write.
func Parse(text string) (string, error) {
	upper := strings.ToUpper(text)
	instead := map[string]string{"UK": "GB", "EL": "GR"}[upper]
	_, known := find(upper)
	switch {
	case instead != "":
		return "", fmt.Errorf("%q is no code of ISO 3166-1: write %q", text, instead)
	case upper == "EU":
		return "", fmt.Errorf(`%q is no country: write sesame.country(require "eu") for the European Union, or sesame.continent { "europe" }`, text)
	case known && upper != text:
		return "", fmt.Errorf("%q: write the code in capital letters, %q", text, upper)
	case !known:
		return "", fmt.Errorf(`%.40q is no country: expected a code of ISO 3166-1, two capital letters such as "ES"`, text)
	}
	return upper, nil
}

// ParseContinent reads the name of a continent that a person wrote.
func ParseContinent(text string) (string, error) {
	if !slices.Contains(continents, text) {
		return "", fmt.Errorf("%.40q is no continent%s", text, spelling.DidYouMean(text, continents))
	}
	return text, nil
}
