package country

import (
	"cmp"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// The table is sorted, as find needs it, and has each country of ISO 3166-1 once.
func TestTable(t *testing.T) {
	if !slices.IsSortedFunc(countries, func(a, b entry) int { return cmp.Compare(a.code, b.code) }) {
		t.Error("the table is not sorted")
	}
	if n := len(countries); n != 250 {
		t.Errorf("%d countries: expected the 249 of ISO 3166-1, and XK", n)
	}
	for i, e := range countries {
		if got, err := Parse(e.code); got != e.code || err != nil || Code(e.code) != e.code || Continent(e.code) != e.continent {
			t.Errorf("%s: %s, %v", e.code, got, err)
		}
		if !slices.Contains(continents, e.continent) || i > 0 && countries[i-1].code == e.code {
			t.Errorf("%+v", e)
		}
	}
	for _, text := range []string{"", "A", "AN", "AP", "EU", "ZZ", "ES ", "es", "ESP", "\xff\xff"} {
		if Code(text) != "" || Continent(text) != "" {
			t.Errorf("%q is a country", text)
		}
	}
	if Code("UK") != "GB" {
		t.Error("UK is no country in files of Tor")
	}
}

// The time zone database has the same codes.
func TestCodesOfTimeZones(t *testing.T) {
	text, err := os.ReadFile("/usr/share/zoneinfo/iso3166.tab")
	if err != nil {
		t.Skip(err)
	}
	for line := range strings.Lines(string(text)) {
		if code, name, _ := strings.Cut(line, "\t"); !strings.HasPrefix(line, "#") && Code(code) != code {
			t.Errorf("%s (%s) is missing", code, strings.TrimSpace(name))
		}
	}
}

func TestContinents(t *testing.T) {
	for continent, codes := range map[string]string{
		africa: "EG ZA CV MU SH EH", antarctica: "AQ BV GS TF HM", asia: "TR GE AM AZ KZ IL IN JP CC",
		europe: "ES RU CY XK IS SJ GI", northAmerica: "US GL MX PA CW BM PR", oceania: "AU TL PF UM CX", southAmerica: "BR GF FK",
	} {
		for _, code := range strings.Fields(codes) {
			if got := Continent(code); got != continent {
				t.Errorf("%s is in %s, not in %s", code, got, continent)
			}
		}
	}
}

// The shipped list of the European Union has countries of Europe, each once.
func TestUnion(t *testing.T) {
	text, err := os.ReadFile("../../../scripts/lib/eu.lua")
	if err != nil {
		t.Fatal(err)
	}
	codes := regexp.MustCompile(`"(..)"`).FindAllStringSubmatch(string(text[strings.Index(string(text), "{"):]), -1)
	if len(codes) != 27 {
		t.Errorf("%d countries", len(codes))
	}
	for i, code := range codes {
		if Continent(code[1]) != europe || i > 0 && codes[i-1][1] >= code[1] {
			t.Errorf("%s", code[1])
		}
	}
}

func TestParseASN(t *testing.T) {
	for text, want := range map[string]uint32{
		"1": 1, "3352": 3352, "AS3352": 3352, "4294967295": 1<<32 - 1, "AS4294967295": 1<<32 - 1,
		"": 0, "0": 0, "AS": 0, "AS0": 0, "4294967296": 0, "-1": 0, "+1": 0, "AS+1": 0, "as1": 0, "ASAS1": 0, " 1": 0, "1.5": 0, "0x1": 0,
	} {
		if got, err := ParseASN(text); got != want || (err == nil) != (want > 0) {
			t.Errorf("%q: got %d, %v", text, got, err)
		}
	}
}
