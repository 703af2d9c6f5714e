package sandbox

import (
	"errors"
	"math"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	lua "github.com/yuin/gopher-lua"
)

// late loads a script with a function late, which does what the timer of the backstop does. Only
// the clock bounds its calls.
func late(t *testing.T, source string) *State {
	t.Helper()
	p, err := Compile("a.lua", []byte(source))
	if err != nil {
		t.Fatal(err)
	}
	s := New(Config{Backstop: time.Hour, Call: math.MaxInt64})
	t.Cleanup(s.Close)
	s.SetGlobal("late", s.L().NewFunction(func(*lua.LState) int { s.clock.late.Store(true); return 0 }))
	if err := s.Run(p); err != nil {
		t.Fatal(err)
	}
	return s
}

func TestTheClockEndsACallAtTheNextInstruction(t *testing.T) {
	for _, tt := range []struct {
		name   string
		line   int
		source string
	}{
		{"a loop", 3, "function main()\nlate()\nwhile true do end end"},
		{"a loop that catches errors", 3, "function main()\npcall(late)\nwhile true do pcall(error) end end"},
		{"a handler of errors", 3, "function main()\nlate()\nxpcall(error, function() while true do end end) end"},
		{"a text that an error has", 2, "local t = setmetatable({}, { __tostring = function() while true do end end })\nfunction main() late() error(t) end"},
		{"a function of the library", 3, "function main()\nlate()\nreturn (('x'):rep(60000)):find(('x?'):rep(100) .. 'y') end"},
		{"the end of the function", 3, "function main()\nlate()\nend"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := late(t, tt.source)
			main := s.Global("main").(*lua.LFunction)
			_, err := s.Call(main, 0)
			e, is := err.(*Error)
			if !errors.Is(err, ErrTime) || !is || e.Line != tt.line || !strings.Contains(e.Message, "after 1h0m0s by the clock") {
				t.Errorf("got %v, want the time limit at line %d", err, tt.line)
			}
			if n := s.Steps(); n > 500 {
				t.Errorf("%d steps", n)
			}
			if s.Broken() {
				t.Error("broke")
			}
		})
	}
}

// What a call has taken does not count for the next one.
func TestACallAfterOneThatTheClockEnded(t *testing.T) {
	s := late(t, `function main(endless) while endless do end end`)
	main := s.Global("main").(*lua.LFunction)
	for range 3 {
		s.clock.after = time.Microsecond
		if _, err := s.Call(main, 0, lua.LTrue); !errors.Is(err, ErrTime) {
			t.Fatalf("got %v, want the time limit", err)
		}
		s.clock.after = time.Hour
		if _, err := s.Call(main, 0, lua.LFalse); err != nil {
			t.Fatal(err)
		}
	}
}

// Where both bounds are passed, the budget is named: it is passed in each replay too.
func TestTheBudgetIsNamedBeforeTheClock(t *testing.T) {
	b := Budget{limit: 5, late: new(atomic.Bool)}
	b.late.Store(true)
	if b.charge(6, 0) || b.err != ErrSteps {
		t.Error(b.err)
	}
}

// The timer itself ends a loop that nothing else would end.
func TestTheTimerEndsACall(t *testing.T) {
	s := late(t, "function main() while true do end end")
	s.clock.after, s.cfg.Backstop = time.Millisecond, time.Millisecond
	if _, err := s.Call(s.Global("main").(*lua.LFunction), 0); !errors.Is(err, ErrTime) || !strings.Contains(err.Error(), "after 1ms by") {
		t.Error(err)
	}
}

func TestTheFlagOfATimerThatFiredIsNotUsedAgain(t *testing.T) {
	b := backstop{after: time.Nanosecond}
	fired := b.begin()
	for deadline := time.Now().Add(10 * time.Second); !fired.Load(); {
		if time.Now().After(deadline) {
			t.Fatal("the timer does not fire")
		}
		runtime.Gosched()
	}
	b.end()
	b.after = time.Hour
	next := b.begin()
	b.end()
	if next == fired || next.Load() || b.begin() != next {
		t.Error("the flag of a call that was late is that of the next, or a timer that did not fire is not used again")
	}
	if none := (&backstop{}); none.begin() != &never || never.Load() {
		t.Error("a call without a backstop")
	}
}
