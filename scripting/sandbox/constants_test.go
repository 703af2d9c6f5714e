package sandbox

import (
	"fmt"
	"strings"
	"testing"

	lua "github.com/yuin/gopher-lua"
	"github.com/yuin/gopher-lua/ast"
	"github.com/yuin/gopher-lua/parse"
	"pgregory.net/rapid"
)

// compiledTable returns what the machine makes of a constructor that gopher-lua compiled, and what
// that costs.
func compiledTable(t rapid.TB, constructor string) (lua.LValue, cost, error) {
	t.Helper()
	p := &Program{Name: "x.lua", Source: []byte("x = " + constructor)}
	chunk, err := parse.Parse(strings.NewReader(string(p.Source)), p.Name)
	if err != nil {
		t.Fatalf("%v in %s", err, p.Source)
	}
	c := check(p, NewBudget(LoadSteps), chunk)
	clear(c.hoisted)
	if p.proto, err = lua.Compile(rewrite(c, chunk), p.Name); err != nil {
		t.Fatalf("%v in %s", err, p.Source)
	}
	repair(p.proto)
	s := New(Config{})
	defer s.Close()
	err = s.Run(p)
	return s.Global("x"), cost{steps: s.budget.steps, bytes: s.budget.bytes - stateBytes}, err
}

// madeTables returns what readData and hoist make of a constructor. Nil: they refuse it.
func madeTables(t rapid.TB, constructor string) (data, hoisted *lua.LTable, dataCost cost) {
	t.Helper()
	c, err := readData(&Program{Name: "x.lua", Source: []byte("return " + constructor)}, NewBudget(LoadSteps))
	if err == nil {
		data, dataCost = c.table, c.cost
	}
	chunk, err := parse.Parse(strings.NewReader("return "+constructor), "x.lua")
	if err != nil {
		t.Fatalf("%v in %s", err, constructor)
	}
	tree := chunk[0].(*ast.ReturnStmt).Exprs[0].(*ast.TableExpr)
	if _, ok := countConstants(tree); ok {
		if table, ok := (&maker{budget: NewBudget(LoadSteps)}).constructor(tree); ok {
			hoisted = copied(table)
		}
	}
	return data, hoisted, dataCost
}

// shape tells all that a script can see of a value: types, values, holes and order.
func shape(v lua.LValue) string {
	table, ok := v.(*lua.LTable)
	if !ok {
		return fmt.Sprintf("%T:%q", v, v)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "{#%d,%d", table.Len(), arrayLen(table))
	for k, v := table.Next(lua.LNil); k != lua.LNil; k, v = table.Next(k) {
		fmt.Fprintf(&b, " [%s]=%s", shape(k), shape(v))
	}
	return b.String() + "}"
}

// drawTable writes a constructor of constants.
func drawTable(t *rapid.T, depth int) string {
	scalar := rapid.SampledFrom([]string{"nil", "true", "false", "0", "1", "-1", "- 2.5", "1e3", "0x1F", "010", "1e400", `"a"`, `'b\n\065'`, "[[long]]", `""`, "-0", "3"})
	key := rapid.SampledFrom([]string{"a", "b", `["a"]`, "[1]", "[2]", "[51]", "[100]", "[-1]", "[1.5]", "[true]", `["x y"]`, "[3]", `["1"]`})
	items := rapid.SampledFrom([]int{0, 1, 2, 5, 49, 50, 51, 100, 102}).Draw(t, "items")
	var b strings.Builder
	b.WriteString("{")
	for range items {
		if rapid.IntRange(0, 9).Draw(t, "named") == 0 {
			b.WriteString(key.Draw(t, "key") + " = ")
		}
		if depth > 0 && rapid.IntRange(0, 20).Draw(t, "nested") == 0 {
			b.WriteString(drawTable(t, depth-1))
		} else {
			b.WriteString(scalar.Draw(t, "value"))
		}
		b.WriteString(rapid.SampledFrom([]string{", ", ";", ",\n"}).Draw(t, "separator"))
	}
	return b.String() + "}"
}

// A table that is made here is the one that the machine makes, and costs about as much.
func TestConstantsAreAsTheMachineMakesThem(t *testing.T) {
	hoisted := 0
	rapid.Check(t, func(t *rapid.T) {
		constructor := drawTable(t, 2)
		want, full, err := compiledTable(t, constructor)
		if err != nil {
			t.Fatalf("%s: %v", constructor, err)
		}
		data, copy, cost := madeTables(t, constructor)
		if data == nil || shape(data) != shape(want) {
			t.Fatalf("%s\nread     %s\ncompiled %s", constructor, shape(data), shape(want))
		}
		if copy != nil && shape(copy) != shape(want) {
			t.Fatalf("%s\nhoisted  %s\ncompiled %s", constructor, shape(copy), shape(want))
		}
		if copy != nil {
			hoisted++
		}
		// The program with the constructor also assigns a global, and makes its first key.
		if 4*cost.bytes < full.bytes-firstKeyBytes || cost.bytes > 4*full.bytes || 4*cost.steps < full.steps-40 || cost.steps > 4*full.steps {
			t.Fatalf("%s\ncosts %+v, compiled %+v", constructor, cost, full)
		}
	})
	if hoisted == 0 {
		t.Error("none was hoisted")
	}
}

// The compiler of gopher-lua compares each constant of a function with all others. A table of
// constants gives it none, however many there are: alone, within code, and within other tables.
func TestConstantsAreNotCompiled(t *testing.T) {
	for _, n := range []int{5_000, 20_000, 40_000} {
		list := repeat(n, `"host-%d.example",`)
		for _, source := range []string{
			"return {" + list + "}",
			"local t = {" + list + "} return t",
			"local t = {f(), {a = {" + list + "}}}",
			"f {hosts = {" + repeat(n/10, `{name = "host-%d", port = 1},`) + "}}",
		} {
			p, err := Compile("x.lua", []byte(source))
			if err != nil {
				t.Fatal(err)
			}
			var count func(*lua.FunctionProto) int
			count = func(proto *lua.FunctionProto) int {
				n := len(proto.Constants)
				for _, inner := range proto.FunctionPrototypes {
					n += count(inner)
				}
				return n
			}
			if got := count(p.proto); got > 10 {
				t.Errorf("%.30s: %d constants are compiled", source, got)
			}
		}
	}
}

// A hoisted table is new each time, as that of any constructor is.
func TestHoistedTablesAreNew(t *testing.T) {
	list := "{" + repeat(300, "%d,") + " inner = {1}}"
	out, err := play(t, Config{}, "local a = "+list+" local function new() return "+list+` end
		local b, c = new(), new() b[1], b.inner[1], c[301] = "changed", "changed", "more"
		print(a[1], c[1], new()[1], new().inner[1], #c, #new(), a == new())
		function main() local t = new() t[1] = t[1] + 1 print(t[1], pcall(function() a[1] = 2 end)) end`)
	want := "0\t0\t0\t1\t301\t300\tfalse\n1\tfalse\ttest.lua:4: " + kept + "\n"
	if out != want || err != nil {
		t.Errorf("got %q, %v, want %q", out, err, want)
	}
}

// A module of data is one table for all states that run it, and none can change it.
func TestModulesOfDataAreShared(t *testing.T) {
	p, err := Compile("lib/data.lua", []byte("return { -- data\n"+repeat(10_000, `"host-%d",`)+"\nname = { -1, true } };"))
	if err != nil {
		t.Fatal(err)
	}
	if !p.IsData() || p.Chunk() != nil || len(p.Lines()) > 1 {
		t.Errorf("data %v, tree %v, lines %v", p.IsData(), p.Chunk(), p.Lines())
	}
	cfg := Config{Require: func(string) (*Program, error) { return p, nil }}
	const script = `local d = require "data" print(#d, d[10000], d.name[1], d.name[2], require("data") == d)
		print(pcall(function() d[1] = 2 end)) print(pcall(function() d.name.x = 2 end)) print(pcall(table.sort, d))`
	const want = "10000\thost-9999\t-1\ttrue\ttrue\nfalse\ttest.lua:2: " + kept + "\nfalse\ttest.lua:2: " + kept + "\nfalse\t" + kept + "\n"
	done := make(chan string)
	for range 4 {
		go func() {
			out, err := play(t, cfg, script)
			done <- out + errorText(err)
		}()
	}
	for range 4 {
		if out := <-done; out != want {
			t.Errorf("got %q, want %q", out, want)
		}
	}
	cfg.Load = NewBudget(4_000)
	if _, err := play(t, cfg, script); !strings.Contains(errorText(err), "more than 4000 steps") {
		t.Errorf("with few steps: %v", err)
	}
}

// The sum of code changes with the constants of its tables, and not with their layout.
func TestSumsOfConstants(t *testing.T) {
	sums := map[Sum]string{}
	for _, tt := range []struct{ name, source string }{
		{"the first", "f {" + repeat(300, "%d,") + "}"},
		{"another value", "f {" + repeat(299, "%d,") + "300}"},
		{"another type", "f {" + repeat(299, "%d,") + "'299'}"},
		{"another order", "f {a = 1, b = 2," + repeat(300, "%d,") + "}"},
		{"the other order", "f {b = 2, a = 1," + repeat(300, "%d,") + "}"},
		{"another nesting", "f {a = {b = 2}," + repeat(300, "%d,") + "}"},
		{"data", "return {" + repeat(20_000, "%d,") + "}"},
		{"other data", "return {" + repeat(20_001, "%d,") + "}"},
	} {
		var tops []Sum
		for _, source := range []string{tt.source, "-- a comment\n" + strings.ReplaceAll(tt.source, ",", ",\n")} {
			p, err := Compile("x.lua", []byte(source))
			if err != nil {
				t.Fatal(err)
			}
			top, _ := p.Sums(nil)
			tops = append(tops, top)
		}
		if tops[0] != tops[1] {
			t.Errorf("%s: the layout counts", tt.name)
		}
		if other, known := sums[tops[0]]; known {
			t.Errorf("%s has the sum of %s", tt.name, other)
		}
		sums[tops[0]] = tt.name
	}
}
