package sandbox

import (
	"fmt"
	"strings"
	"testing"
)

// The items of a constructor stay where they are, whatever follows them.
func TestConstructorsOfFiftyItems(t *testing.T) {
	const functions = `local function two() return "first", "second" end local function name() return "n" end `
	for _, items := range []int{0, 1, 49, 50, 51, 99, 100, 101, 150} {
		list := ""
		for i := range items {
			list += fmt.Sprintf("%d,", i+1)
		}
		sum := `local sum = 0 for i = 1, N do sum = sum + t[i] end assert(sum == N * (N + 1) / 2, sum) `
		for _, tt := range []struct{ rest, check string }{
			{`x = two()`, `assert(t.x == "first" and #t == N)`},
			{`x = two(), y = two()`, `assert(t.x == "first" and t.y == "first" and #t == N)`},
			{`[name()] = name(), z = {two()}`, `assert(t.n == "n" and t.z[2] == "second" and #t == N)`},
			{`two()`, `assert(t[N + 1] == "first" and t[N + 2] == "second" and #t == N + 2)`},
			{`x = two(), two()`, `assert(t.x == "first" and t[N + 1] == "first" and t[N + 2] == "second" and #t == N + 2)`},
			{`x = two(), two(), y = two()`, `assert(t.y == "first" and t[N + 1] == "first" and #t == N + 1)`},
			{`x = {` + list + ` y = two(), two()}, two()`, `assert(t.x[N + 2] == "second" and t[N + 2] == "second")`},
			{`x = two() == "first" and two() or name()`, `assert(t.x == "first" and #t == N)`},
		} {
			script := functions + "local t = {" + list + tt.rest + "} " + sum + tt.check
			if _, err := play(t, Config{}, strings.ReplaceAll(script, "N", fmt.Sprint(items))); err != nil {
				t.Errorf("%d items and %s: %v", items, tt.rest, err)
			}
		}
	}
}
