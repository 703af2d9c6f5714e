package sandbox

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

// Scripts and modules of a set share a budget, with what compiling them costs.
func TestFilesShareABudget(t *testing.T) {
	budget := NewBudget(LoadSteps)
	const third = "local n = 0 while n < 350000 do n = n + 1 end"
	for i := range 4 {
		p, err := budget.Compile(fmt.Sprintf("%d.lua", i), []byte(third))
		if err == nil {
			s := New(Config{Load: budget})
			err = s.Run(p)
			s.Close()
		}
		if i < 3 && err != nil {
			t.Fatalf("file %d: %v", i, err)
		}
		if i == 3 && (!errors.Is(err, ErrSteps) || !budget.Spent()) {
			t.Errorf("the fourth file got %v", err)
		}
	}
	if _, err := budget.Compile("more.lua", nil); !errors.Is(err, ErrSteps) {
		t.Errorf("a spent budget compiles: %v", err)
	}
}

// What compiling costs grows with the text, and is the same for a program that was compiled before.
func TestCompilingCosts(t *testing.T) {
	for _, tt := range []struct {
		name, source string
		least        int64 // steps for each of n parts
		n            int
	}{
		{"lines", strings.Repeat("\n", 10_000), 1, 10_000},
		{"comments", strings.Repeat("--[[ a comment ]]", 1000), 2, 1000},
		{"words", strings.Repeat("local a ", 100) + strings.Repeat("a = a ", 10_000), 3 * 5, 10_000},
		{"functions", "local t = {} " + strings.Repeat("function t.f() end ", 1000), 164 + 7*5, 1000},
		{"constants", "local a = {a(), " + repeat(4000, "%d,") + "}", 2000 / comparedOfAStep, 4000},
		{"data", "return {" + repeat(20_000, "%d,") + "}", 2, 20_000},
		{"data with keys", "return {" + repeat(20_000, "a%d=1,") + "}", 8, 20_000},
		{"tables", "return {" + strings.Repeat("{a=1},", 20_000) + "}", 4 + 1 + 8 + 24, 20_000},
	} {
		t.Run(tt.name, func(t *testing.T) {
			first := NewBudget(LoadSteps)
			p, err := first.Compile("a.lua", []byte(tt.source))
			if err != nil {
				t.Fatal(err)
			}
			if got, want := first.used(), tt.least*int64(tt.n); got < want || got > 3*want {
				t.Errorf("it costs %d steps, want at least %d and not much more", got, want)
			}
			again := NewBudget(LoadSteps)
			if err := again.Compiled(p); err != nil || again.used() != first.used() {
				t.Errorf("again it costs %d steps, at first %d; %v", again.used(), first.used(), err)
			}
			small := NewBudget(first.used() - 1)
			if err := small.Compiled(p); !errors.Is(err, ErrSteps) || !strings.Contains(err.Error(), "a.lua: all files together take more than") {
				t.Errorf("a smaller budget: %v", err)
			}
			small = NewBudget(first.used() - 1)
			if _, err := small.Compile("a.lua", []byte(tt.source)); !errors.Is(err, ErrSteps) {
				t.Errorf("compiled with a smaller budget: %v", err)
			}
		})
	}
}
