package scripting

import (
	"iter"

	"github.com/yuin/gopher-lua"

	"sesame/daemon/engine"
	"sesame/scripting/sandbox"
)

// Code identifies the compiled code of a function that the engine can call, or the rest of a file.
type Code struct {
	Script string // the script that has the function, or the file
	Door   string // "": the function is a handler, or this is a file
	// Name is the option that has the function, such as "on_open", "when NAME" for a condition, or
	// the name of the handler. "": this is a file.
	Name string
	Sum  sandbox.Sum // of a file: of what runs when it loads
	// Functions is the sum of the functions of a file that have no entry of their own.
	Functions sandbox.Sum
}

// describeCode notes the code of all functions and files. It runs while the set loads: later only
// the owner of the engine may look at the functions.
func (l *loader) describeCode() {
	called := map[*lua.FunctionProto]bool{}
	note := func(code Code, s *script, function int) {
		if function == 0 {
			return
		}
		proto := s.functions[function-1].Proto
		called[proto], code.Sum = true, sandbox.SumOf(proto)
		l.set.Code = append(l.set.Code, code)
	}
	for _, door := range l.set.Engine.Doors {
		if h, ours := door.Handler.(*handler); ours {
			for kind, name := range hookNames {
				note(Code{Script: door.Script, Door: door.Name, Name: name}, h.script, h.functions[kind])
			}
		}
		for function := range functionsIn(door.When) {
			note(Code{Script: door.Script, Door: door.Name, Name: "when " + function.name}, function.script, function.index)
		}
	}
	for _, timer := range l.set.Engine.Timers {
		if h, ours := timer.Handler.(*handler); ours {
			note(Code{Script: timer.Script, Name: timer.Name}, h.script, h.functions[engine.CallTimer])
		}
	}
	for _, file := range l.scripts.All() {
		top, functions := file.Program.Sums(called)
		l.set.Code = append(l.set.Code, Code{Script: file.Path, Sum: top, Functions: functions})
	}
}

// functionsIn yields the functions among conditions and their members.
func functionsIn(conditions []engine.Condition) iter.Seq[*Function] {
	return func(yield func(*Function) bool) {
		for _, c := range conditions {
			if function, ok := c.(*Function); ok && !yield(function) {
				return
			}
			if combination, ok := c.(interface{ Members() []engine.Condition }); ok {
				functionsIn(combination.Members())(yield)
			}
		}
	}
}
