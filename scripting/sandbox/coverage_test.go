package sandbox

import (
	"fmt"
	"slices"
	"testing"

	lua "github.com/yuin/gopher-lua"
)

// TestRan compares the lines that a script runs with those that it has, and what it costs with a
// run that nobody follows: whoever asks must not change a decision.
func TestRan(t *testing.T) {
	const script = `local function f(x)
  if x then
    return 1
  end
  return 2
end

function main(x)
  local ok = pcall(function()
    error("no")
  end)
  for i = 1, 2 do
    f(x)
  end
  return ok
end
`
	program, err := Compile("a.lua", []byte(script))
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(program.Lines()); got != "[1 2 3 5 8 9 10 12 13 15]" {
		t.Errorf("lines %s", got)
	}
	hits := map[int]int{}
	cost := func(cfg Config) int64 {
		s := New(cfg)
		defer s.Close()
		if err := s.Run(program); err != nil {
			t.Fatal(err)
		}
		clear(hits)
		if _, err := s.Call(s.Global("main").(*lua.LFunction), 1, lua.LTrue); err != nil {
			t.Fatal(err)
		}
		return s.Steps()
	}
	steps := cost(Config{Ran: func(file string, line int) {
		if file != "a.lua" {
			t.Errorf("line %d of %s", line, file)
		}
		hits[line]++
	}})
	for _, line := range program.Lines() {
		// The first and the eighth make functions while the file is loaded.
		if ran := hits[line] > 0; ran != slices.Contains([]int{2, 3, 9, 10, 12, 13, 15}, line) {
			t.Errorf("line %d ran %d times", line, hits[line])
		}
	}
	if hits[3] != 2 {
		t.Errorf("line 3 ran %d times, want 2", hits[3])
	}
	if n := cost(Config{}); n != steps {
		t.Errorf("followed it takes %d steps, else %d", steps, n)
	}
}
