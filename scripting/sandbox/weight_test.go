package sandbox

import (
	"strings"
	"testing"

	lua "github.com/yuin/gopher-lua"
)

// stepsOf returns what a call of main costs in a script in which LONG is a text of 6,400 bytes.
func stepsOf(t *testing.T, cfg Config, before, body string) int64 {
	t.Helper()
	long := "local LONG, SAME = ('x'):rep(6400), ('x'):rep(6400) local t = {}\n"
	st, err := load(t, cfg, long+before+"\nfunction main() "+body+" end")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := st.Call(st.Global("main").(*lua.LFunction), 0); err != nil {
		t.Fatalf("%s: %v", body, err)
	}
	return st.Steps()
}

// Each pair does the same work but for what has a weight. An older set pays for none of it.
func TestWeights(t *testing.T) {
	const chain = "local bare = {} for i = 1, 40 do t = setmetatable({}, {__index = t}) end "
	for _, tt := range []struct {
		name, before, cheap, dear string
		want                      int64
	}{
		{"equal strings", "", "local x, y = LONG, SAME local a = x == 1", "local x, y = LONG, SAME local a = x == y", 100 + 1}, // true takes an instruction more
		{"different strings", "", "local a = LONG ~= 1", "local a = LONG ~= SAME", 100},
		{"strings of different length", "local s = LONG:sub(2)", "local x, y = LONG, s local a = x == 1", "local x, y = LONG, s local a = x == y", 0},
		{"a constant", "", "local a = LONG == 1", "local a = LONG == '" + strings.Repeat("y", 6400) + "'", 100},
		{"a condition", "", "if LONG == 1 then end", "if LONG == SAME then end", 100},
		{"a short string", "", "local a = LONG == 1", "local a = LONG == 'x'", 0},
		{"numbers", "", "local x, y = 1, 1 local a = x == 1", "local x, y = 1, 1 local a = x == y", 0},
		{"a long key", "", "local k = LONG local a = t[1]", "local k = LONG local a = t[k]", 100},
		{"a long constant key", "", "local a = t.a", "local a = t['" + strings.Repeat("y", 6400) + "']", 100},
		{"a chain", chain, "local a = bare['a']", "local a = t['a']", 20},
		{"a chain with a computed key", chain, "local a = bare[2]", "local a = t[2]", 20},
		{"a chain and a long key", chain, "local a = bare[LONG]", "local a = t[LONG]", 20 + 40*100},
		{"a field that is there", "t.y = 1", "local a = t.x", "local a = t.y", 0},
		{"a method", chain, "local a = pcall(function() bare:m() end)", "local a = pcall(function() t:m() end)", 20},
		{"a method of a string", "", "local a = t.x", "local a = LONG.len", 0},
		{"the first key of a table", "", "local a = {}", "local a = {k = LONG}", fewKeysBytes/stepBytes + keyBytes/stepBytes + 2},
		{"many values", "local function f(...) end for i = 1, 80 do t[i] = i end", "f(unpack(t, 1, 0))", "f(unpack(t, 1, 80))", 80/8 + 80/4 + 80},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cheap, dear := stepsOf(t, Config{}, tt.before, tt.cheap), stepsOf(t, Config{}, tt.before, tt.dear)
			if got := dear - cheap; got != tt.want {
				t.Errorf("it weighs %d steps, want %d", got, tt.want)
			}
		})
	}
}

// Each of these reads or compares as much as it can in each step. Counted work, and no clock, shows
// that all ends soon: beyond the weights nothing depends on the length of a text or of a chain.
func TestWhatWeighsEnds(t *testing.T) {
	for _, source := range []string{
		`local k = ("k"):rep(65535) local t = {[k] = 1} for i = 1, 99 do t = setmetatable({}, {__index = t}) end while true do n = n + 1 local x = t[k] end`,
		`local k = ("k"):rep(65535) local t = {} for i = 1, 99 do t = setmetatable({}, {__newindex = t}) end while true do n = n + 1 t[k] = nil end`,
		`local a = ("k"):rep(65535) local b = ("k"):rep(65534) .. "k" while true do n = n + 1 if a ~= b then error "x" end end`,
		`local a = ("k"):rep(65535) local b = ("k"):rep(65534) .. "k" while true do n = n + 1 rawequal(a, b) end`,
	} {
		turns, most := 0, LoadSteps/1000
		cfg := Config{Ran: func(_ string, line int) {
			if line == 2 {
				turns++
			}
		}}
		_, err := load(t, cfg, "local n = 0\n"+strings.ReplaceAll(source, "do n = n + 1", "do\nn = n + 1\n"))
		if err == nil || !strings.Contains(err.Error(), "more than 3500000 steps") {
			t.Errorf("%s: %v", source, err)
		}
		if turns == 0 || turns > most {
			t.Errorf("%s: %d turns, want at most %d", source, turns, most)
		}
	}
}

// A call of an older set costs what it did: instructions and bytes have limits of their own, and
// nothing else counts.
func TestOlderSets(t *testing.T) {
	for _, tt := range []struct {
		name, before, body, old, new string
	}{
		{"instructions alone", "", "for i = 1, 180000 do end", "", ""},
		{"more of them", "", "for i = 1, 210000 do end", "more than 200000 steps", "more than 200000 steps"},
		{"instructions and memory", "", "local s = ('x'):rep(50000) for i = 1, 60 do local x = s .. i end for i = 1, 150000 do end", "", "more than 200000 steps"},
		{"memory alone", "", "local s = ('x'):rep(50000) for i = 1, 84 do local x = s .. i end", "more than 200000 steps", ""},
		{"long strings", "local a, b = ('x'):rep(60000), ('x'):rep(60000)", "for i = 1, 1000 do local x = a == b end", "", "more than 200000 steps"},
	} {
		for _, older := range []bool{false, true} {
			want := tt.new
			if older {
				want = tt.old
			}
			st, err := load(t, Config{Older: older}, tt.before+" function main() "+tt.body+" end")
			if err != nil {
				t.Fatal(err)
			}
			_, err = st.Call(st.Global("main").(*lua.LFunction), 0)
			if (want == "") != (err == nil) || !strings.Contains(errorText(err), want) {
				t.Errorf("%s, older %t: got %v, want %q", tt.name, older, err, want)
			}
		}
	}
	// The price of a byte is what it was, and the sum is rounded once.
	for body, want := range map[string]int64{"": 101, "local a = {} a.x = 1": 100 + 9 + (128+2560)/64} {
		if got := stepsOf(t, Config{Older: true}, "", body); got != want {
			t.Errorf("%q costs %d steps in an older set, want %d", body, got, want)
		}
	}
}
