package sandbox

import (
	"fmt"
	"testing"

	"pgregory.net/rapid"
)

// A logic is an expression of and, or, not and comparison, with the value that it must have.
type logic struct{ text, value string }

func truth(value string) bool { return value != "nil" && value != "false" }

func drawLogic(t *rapid.T, depth int) logic {
	kind := 0
	if depth > 0 {
		kind = rapid.IntRange(0, 7).Draw(t, "kind")
	}
	atom := func() logic {
		value := rapid.SampledFrom([]string{"nil", "false", "true", "1", "x"}).Draw(t, "value")
		literal := value
		if value == "x" {
			literal = `"x"`
		}
		return rapid.SampledFrom([]logic{{literal, value}, {"v(" + literal + ")", value}, {"V[\"" + value + "_\"]", value}, {"(v(" + literal + "))", value}}).Draw(t, "atom")
	}
	switch kind {
	case 1, 2:
		a, b := drawLogic(t, depth-1), drawLogic(t, depth-1)
		if truth(a.value) {
			return logic{"(" + a.text + " and " + b.text + ")", b.value}
		}
		return logic{"(" + a.text + " and " + b.text + ")", a.value}
	case 3, 4:
		a, b := drawLogic(t, depth-1), drawLogic(t, depth-1)
		if truth(a.value) {
			return logic{"(" + a.text + " or " + b.text + ")", a.value}
		}
		return logic{"(" + a.text + " or " + b.text + ")", b.value}
	case 5:
		a := drawLogic(t, depth-1)
		return logic{"(not " + a.text + ")", fmt.Sprint(!truth(a.value))}
	case 6:
		a, b := atom(), atom()
		return logic{"(" + a.text + " == " + b.text + ")", fmt.Sprint(a.value == b.value)}
	case 7:
		a, b := rapid.IntRange(0, 3).Draw(t, "a"), rapid.IntRange(0, 3).Draw(t, "b")
		return logic{fmt.Sprintf("(v(%d) < v(%d))", a, b), fmt.Sprint(a < b)}
	}
	return atom()
}

// contexts are the places of an expression; each prints its value.
var contexts = []string{
	"local r = %s print(r)",
	"local r = 7 r = %s print(r)",
	"local q, r, s = 1, 7, 2 r = %s print(r)",
	"local r, s r, s = %s, 5 print(r)",
	"local r, s r, s = 5, %s print(s)",
	"local r = {} r.x = %s print(r.x)",
	"local r = {} r[v(1)] = %s print(r[1])",
	"print(%s)",
	"print((%s))",
	"print(({%s})[1])",
	"print(({x = %s}).x)",
	"local function f() return %s end print((f()))",
	"local function f(p) p = %s return p end print(f(7))",
	"local function f(p, q) q = %s return q end print(f(7, 8))",
	"local function f(p) local q = %s return q end print(f(7))",
	"local function f(p) return p end print(f(%s))",
	"local r = 7 local function f() return r end r = %s print(f())",
	"g = %s print(g)",
	"local r = v(%s) print(r)",
	"local t = {} t[tostring(%s)] = 1 print((next(t)))",
	"print(tostring(%s) .. '')",
}

// conditions are the places where only the truth counts.
var conditions = []string{
	"if %s then print(true) else print(false) end",
	"local r = false while %s do r = true break end print(r)",
	"local n = 0 repeat n = n + 1 until n == 2 or (%s) print(n == 1)",
	"print(not not %s)",
	"if not %s then print(false) else print(true) end",
	"if (%s) and true then print(true) else print(false) end",
	"if (%s) or false then print(true) else print(false) end",
}

func TestLogicFollowsTheManual(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		l := drawLogic(rt, 4)
		head := `local function v(x) return x end local V = {false_ = false, true_ = true, ["1_"] = 1, x_ = "x"} `
		var source, want string
		if rapid.Bool().Draw(rt, "condition") {
			source, want = fmt.Sprintf(rapid.SampledFrom(conditions).Draw(rt, "place"), l.text), fmt.Sprint(truth(l.value))
		} else {
			source, want = fmt.Sprintf(rapid.SampledFrom(contexts).Draw(rt, "place"), l.text), l.value
		}
		source = head + source
		if got, err := play(t, Config{}, source); got != want+"\n" || err != nil {
			if err != nil && len(err.Error()) > 0 && isSyntax(source) {
				return
			}
			rt.Fatalf("%s: got %q, %v, want %q", source, got, err, want)
		}
	})
}

func isSyntax(source string) bool { _, err := Compile("x", []byte(source)); return err != nil }
