package lint

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sesame/scripting"
	"sesame/scripting/source/sourcetest"
)

// Lists that decide nothing are found where they are used, also within other conditions.
func TestListsThatDecideNothing(t *testing.T) {
	for when, want := range map[string][]string{
		`sesame.networks { file = "/etc/some" }`:                                             nil,
		`sesame.networks { file = { "/etc/some", "/etc/nobody" } }`:                          {"empty-list: networks: nobody has comments alone, and holds for nobody"},
		`sesame.none { sesame.networks { file = "/etc/nobody", name = "tor" } }`:             {"empty-list: tor: nobody has comments alone, and holds for nobody"},
		`sesame.any { sesame.networks { file = "/etc/all4" }, function() return false end }`: {"everybody: networks: all4 has a network of all addresses, and holds for everybody"},
		`{ sesame.networks { file = "/etc/all6" }, sesame.networks { "0.0.0.0/0" } }`:        {"everybody: networks: all6 has a network of all addresses, and holds for everybody", "everybody: networks: the list has a network of all addresses, and holds for everybody"},
	} {
		set, err := scripting.Load(sourcetest.Files(map[string]string{
			"a.lua":     `sesame.door "a" { sequence = { 4, 2, 3, 1 }, guards = 22, when = ` + when + ` }`,
			"/etc/some": "192.0.2.0/24\n128.0.0.0/1\n", "/etc/nobody": "# nobody\n", "/etc/all4": "192.0.2.1\n0.0.0.0/0\n", "/etc/all6": "::/0",
		}), scripting.Options{})
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, f := range Check(set) {
			if f.ID == EmptyList || f.ID == Everybody {
				got = append(got, fmt.Sprintf("%s: %s", f.ID, f.Message))
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: findings (-want +got):\n%s", when, diff)
		}
		set.Close()
	}
}
