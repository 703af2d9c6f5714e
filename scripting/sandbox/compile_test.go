package sandbox

import (
	"errors"
	"strings"
	"testing"

	"github.com/yuin/gopher-lua/ast"
)

func TestCompileErrors(t *testing.T) {
	for _, tt := range []struct{ name, source, want string }{
		{"a block that is not ended", "local function f()\n  return 1\n", "x.lua:2:10: unexpected end of the file: 'end' is missing for 'function' at line 1"},
		{"an if that is not ended", "if true then\n  print(1)", "x.lua:2:10: unexpected end of the file: 'end' is missing for 'if' at line 1"},
		{"a loop that is not ended", "for i = 1, 2 do\nprint(i)", "x.lua:2:8: unexpected end of the file: 'end' is missing for 'for' at line 1"},
		{"a repeat that is not ended", "repeat\nprint(i)", "x.lua:2:8: unexpected end of the file: 'until' is missing for 'repeat' at line 1"},
		{"a table that is not ended", "local t = {\n  1, 2\n", "x.lua:2:6: unexpected end of the file: '}' is missing for '{' at line 1"},
		{"an end too many", "print(1)\nend\n", "x.lua:2:1: unexpected 'end'"},
		{"an end inside brackets", "print({1, 2)\n", "x.lua:1:12: unexpected ')': '}' is missing for '{' at line 1"},
		{"a return before another statement of its line", "function f()\n  return 1 local x = 2\nend", "x.lua:2:12: unexpected 'local'"},
		{"a missing comma", "local t = {\n  a = 1\n  b = 2,\n}", "x.lua:3:3: unexpected name 'b': ',' is missing before it, in '{' at line 1"},
		{"a missing comma between strings", "f {\n  \"tcp/1\" \"tcp/2\",\n}", "x.lua:2:11: unexpected string \"tcp/2\": ',' is missing before it, in '{' at line 1"},
		{"a keyword as a name", "f { until = 1 }", `x.lua:1:5: unexpected 'until': a keyword cannot be a name; write ["until"] = ...`},
		{"an assignment as a condition", "if x = 1 then end", "x.lua:1:6: unexpected '=': comparison is written '=='"},
		{"an assignment as a loop's condition", "while x = 1 do end", "x.lua:1:9: unexpected '=': comparison is written '=='"},
		{"another language's not equal", "if x != 1 then end", "x.lua:1:6: unexpected '!=': not equal is written '~='"},
		{"another language's not", "if !x then end", "x.lua:1:4: unexpected '!': write 'not'"},
		{"another language's and", "if x && y then end", "x.lua:1:6: unexpected '&&': write 'and'"},
		{"another language's or", "if x || y then end", "x.lua:1:6: unexpected '||': write 'or'"},
		{"a tilde", "x = ~1", "x.lua:1:5: unexpected '~': not equal is written '~=', and Lua 5.1 has no bit operations; string.unpack takes bytes apart"},
		{"a strange character", "x = 1 \u20ac", "x.lua:1:7: unexpected character '\u20ac'"},
		{"a string that is not ended, behind dots", "local s = \"wait…\" .. \"abc", "x.lua:1:24: unfinished string: a quote is missing in this line"},
		{"a string that is not ended", "local s = \"abc\nprint(s)", "x.lua:1:11: unfinished string: a quote is missing in this line"},
		{"a long string that is not ended", "local s = [[abc\nprint(s)", "x.lua:1:11: unfinished string: ']]' is missing"},
		{"a comment that is not ended", "--[[ abc\nprint(s)", "x.lua:1:1: unfinished comment: ']]' is missing"},
		{"a malformed hexadecimal number", "x = 0xg", "x.lua:1:5: malformed number: expected hexadecimal digits after '0x'"},
		{"a malformed number", "local x = 1e", `x.lua:1: malformed number "1e\xff"`},
		{"an expression alone", "x\ny = 1", "x.lua:1:1: an expression alone does nothing: expected '=' or a call"},
		{"a call on the next line", "f()\n(g)()", "x.lua:2:1: '(' on a new line would continue the call or name above it: put it on that line, or ';' before it"},
		{"a number", "x = 1 2", "x.lua:1:7: unexpected number 2"},
		{"break outside a loop", "print(1)\nbreak", "x.lua:2: break outside a loop"},
		{"goto nowhere", "print(1)\ngoto nowhere", "x.lua:2: no visible label 'nowhere' for goto"},
		{"goto into a local", "goto l\nlocal x = 1\n::l:: print(x)", "x.lua:1: <goto l> jumps into the scope of local 'x'"},
		{"dots outside", "function f() return ... end", "x.lua:1: '...' outside a function that takes '...'"},
		{"dots in the chunk", "local a = ...", "x.lua:1: '...' outside a function that takes '...'"},
		{"a captured variable", "local n = 0\nlocal function count()\n  n = n + 1\nend",
			`x.lua:3:3: cannot assign "n" inside a function: it was declared outside, and would be lost at the next reload; keep state in the store (attempt.store)`},
		{"a captured variable of several", "local n, t = 0, {}\nfunction f()\n  t.n, n = 1, 2\nend",
			`x.lua:3:8: cannot assign "n" inside a function: it was declared outside, and would be lost at the next reload; keep state in the store (attempt.store)`},
		{"a captured variable in a block", "do\n  local n\n  f = function() if true then n = 1 end end\nend",
			`x.lua:3:31: cannot assign "n" inside a function: it was declared outside, and would be lost at the next reload; keep state in the store (attempt.store)`},
		{"a captured loop variable", "for i = 1, 2 do f(function() i = 2 end) end",
			`x.lua:1:5: cannot assign "i" inside a function: it was declared outside, and would be lost at the next reload; keep state in the store (attempt.store)`},
		{"a captured function", "local function f() end\nfunction g()\n  function f() end\nend",
			`x.lua:3:12: cannot assign "f" inside a function: it was declared outside, and would be lost at the next reload; keep state in the store (attempt.store)`},
		{"a global in a function", "function f()\n  n = 1\nend",
			`x.lua:2:3: cannot assign "n" inside a function: it is a global; declare it with local, or keep state in the store (attempt.store)`},
		{"a global function in a function", "function f()\n  function g() end\nend",
			`x.lua:2:12: cannot assign "g" inside a function: it is a global; declare it with local, or keep state in the store (attempt.store)`},
		{"two errors", "local n\nfunction f()\n  n = 1\n  m = 2\nend",
			"x.lua:3:3: cannot assign \"n\" inside a function: it was declared outside, and would be lost at the next reload; keep state in the store (attempt.store)\n" +
				"x.lua:4:3: cannot assign \"m\" inside a function: it is a global; declare it with local, or keep state in the store (attempt.store)"},
		{"the clock", "function f()\n  return os.time()\nend", "x.lua:2:10: os.time does not exist here: use attempt.time or knock.time"},
		{"a command", "os.execute('id')", "x.lua:1:1: os.execute does not exist here: declare a command with sesame.command { ... }, and run it with attempt:exec(command)"},
		{"files", "local f = io.open('x')", "x.lua:1:11: io does not exist here: scripts cannot reach files; use print or attempt:log to say something"},
		{"code from text", "loadstring('x')()", "x.lua:1:1: loadstring does not exist here: scripts cannot make code from text"},
		{"a coroutine", "coroutine.wrap(f)", `x.lua:1:1: coroutine does not exist here: delayed work is attempt:after("10m", "name", value)`},
		{"the table of globals", "_G.x = 1", "x.lua:1:1: _G does not exist here: name the global itself; scripts cannot list or compute globals"},
		{"a seed", "math.randomseed(1)", "x.lua:1:1: math.randomseed does not exist here: math.random is seeded by the host, so that a replay draws the same numbers"},
		{"bytecode", "string.dump(f)", "x.lua:1:1: string.dump does not exist here: scripts cannot make code from text"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p, err := Compile("x.lua", []byte(tt.source))
			if got := errorText(err); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
			if p != nil {
				t.Error("returned a program with an error")
			}
		})
	}
}

func TestDetailPointsAtTheColumn(t *testing.T) {
	for source, want := range map[string]string{
		"f {\n\twithin = = 8\n}":  "ssh.lua:2:11: unexpected '='\n    2 | \twithin = = 8\n      | \t         ^",
		"local x = {\n 'a' 'b' }": "ssh.lua:2:6: unexpected string \"b\": ',' is missing before it, in '{' at line 1\n    2 |  'a' 'b' }\n      |      ^",
		"\n\n\nbreak":             "ssh.lua:4: break outside a loop\n    4 | break",
		"local s = 'é' x = 'é' )": "ssh.lua:1:25: unexpected ')'\n    1 | local s = 'é' x = 'é' )\n      |                       ^",
	} {
		_, err := Compile("ssh.lua", []byte(source))
		e := new(Error)
		if !errors.As(err, &e) {
			t.Fatalf("%q: got %v, want an *Error", source, err)
		}
		if got := e.Detail(); got != want {
			t.Errorf("%q: got\n%s\nwant\n%s", source, got, want)
		}
	}
}

// Each source would make gopher-lua's parser or compiler slow, recurse or emit wrong code.
func TestCompileRefusesWhatTheCompilerCannotDo(t *testing.T) {
	many := repeat
	for _, tt := range []struct{ name, source, want string }{
		{"parentheses", "x = " + strings.Repeat("(", 100_000), "x.lua:1:155: nested too deeply: at most 150 brackets and blocks"},
		{"tables", "x = " + strings.Repeat("{", 5000) + strings.Repeat("}", 5000), "x.lua:1:155: nested too deeply: at most 150 brackets and blocks"},
		{"functions", strings.Repeat("f(function() ", 5000), "x.lua:1:973: nested too deeply: at most 150 brackets and blocks"},
		{"blocks", strings.Repeat("do ", 30_000) + strings.Repeat("end ", 30_000), "x.lua:1:451: nested too deeply: at most 150 brackets and blocks"},
		{"indexes", "x = a" + strings.Repeat("[a", 5000), "x.lua:1:306: nested too deeply: at most 150 brackets and blocks"},
		{"a long sum", "x = 1" + strings.Repeat("+x", 100_000), "x.lua:1: nested too deeply: at most 500 levels"},
		{"a long difference", "x = 1" + strings.Repeat("-x", 100_000), "x.lua:1:1006: the expression is too long: divide it"},
		{"a long concatenation", "x = 'a'" + strings.Repeat("..x", 80_000), "x.lua:1:1508: the expression is too long: divide it"},
		{"many nots", "x = " + strings.Repeat("not ", 60_000) + "x", "x.lua:1:2005: the expression is too long: divide it"},
		{"many minuses", "x = " + strings.Repeat("- ", 100_000) + "x", "x.lua:1:1005: the expression is too long: divide it"},
		{"a long chain of fields", "x = a" + strings.Repeat(".b", 100_000), "x.lua:1: nested too deeply: at most 500 levels"},
		{"a long chain of calls", "a" + strings.Repeat("{}", 100_000), "x.lua:1: nested too deeply: at most 500 levels"},
		{"many elseifs", "if a then " + strings.Repeat("elseif a then ", 10_000) + "end", "x.lua:1: nested too deeply: at most 500 levels"},
		{"many locals", many(300, "local a%d = 1\n"), "x.lua:1: too many local variables, or too large an expression: at most 200 in one function"},
		{"many locals in a function", "\nfunction f()\n" + many(300, "local a%d = 1\n") + "end", "x.lua:2: too many local variables, or too large an expression: at most 200 in one function"},
		{"many parameters", "function f(" + many(300, "a%d,") + "z) end", "x.lua:1: too many local variables, or too large an expression: at most 200 in one function"},
		{"many operands", "x = 'a'" + strings.Repeat("..x", 300), "x.lua:1: too many local variables, or too large an expression: at most 200 in one function"},
		{"many captured variables", "function f()\n" + many(61, "local a%d = 1\n") + "return function() return {" + many(61, "a%d,") + "} end end",
			"x.lua:63: more than 60 variables of one function are used by functions within it"},
		{"many shared variables", many(150, "local a%d = 1\n") + "function f() return {" + many(150, "a%d,") + "} end", ""},
		{"many upvalues", many(190, "local a%d = 1\n") + "function f()\n" + many(60, "local b%d = 1\n") + "return function() return {" + many(190, "a%d,") + many(60, "b%d,") + "} end end",
			"x.lua:252: the function uses more than 250 variables of the functions around it"},
		{"many constants", "x = {y," + many(21_000, "%d,") + "}", "x.lua:1: more than 20000 different names, strings and numbers in one function: divide it, or the file; a table of constants alone may have any number"},
		{"many functions with many constants", strings.Repeat("function f() return {y,"+many(19_000, "%d,")+"} end\n", 4), "x.lua: all files together take more than 3500000 steps to load: write less code, and put long lists into files of their own"},
		{"a table of many constants", "x = {" + many(60_000, "%d,") + "}", ""},
		{"many items", "x = {y," + strings.Repeat("1,", 26_000) + "}", "x.lua:1: more than 25000 items in one constructor"},
		{"many gotos", strings.Repeat("goto a ", 10_000) + "::a::", "x.lua:1: more than 500 labels and gotos in one function"},
		{"many instructions", "local a\n" + strings.Repeat("a=a ", 60_000), ""},
		{"a large file", strings.Repeat(" ", MaxSource+1), "x.lua: the file has 1048577 bytes: at most 1048576; divide it with require. A module that is one return of a table of constants may have 16777216"},
		{"a large module of data", "return {" + strings.Repeat("\"constant\",\n", MaxSource/10) + "}", ""},
		{"a large module with a call", "return {" + strings.Repeat("\"constant\",\n", MaxSource/10) + "f()}", "x.lua:104858:2: unexpected '(': expected '=', or a constant: a string, a number, true, false, nil or a table of such; only a table of constants may have more than 1048576 bytes"},
		{"a large module with a mistake", "return {" + strings.Repeat("\"constant\",\n", MaxSource/10) + "1 2}", "x.lua:104858:3: unexpected number 2: ',' is missing before it; only a table of constants may have more than 1048576 bytes"},
		{"a large module with half a string", "return {" + strings.Repeat("\"constant\",\n", MaxSource/10) + "'", "x.lua:104858:1: unfinished string: a quote is missing in this line"},
		{"a module of data without end", "return {" + strings.Repeat("{", MaxSource) + "}", "x.lua:1:158: nested too deeply: at most 150 brackets"},
		{"a module of data that needs much memory", "return {" + strings.Repeat("{a=1},{[60000]=1},", MaxSource/18+1) + "}", "x.lua:1:924: all files together take more than 3500000 steps to load: make fewer or smaller strings and tables." + longList},
		{"a larger file", strings.Repeat(" ", MaxData+1), "x.lua: the file has 16777217 bytes: at most 16777216"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Compile("x.lua", []byte(tt.source))
			if got := errorText(err); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}

func TestLargeProgramsRun(t *testing.T) {
	items := strings.Repeat("7,", 25_000)
	out, err := play(t, Config{}, "local t = {"+items+"} print(#t, t[1], t[25000], t[-1], t[0])")
	if want := "25000\t7\t7\tnil\tnil\n"; out != want || err != nil {
		t.Errorf("got %q, %v, want %q", out, err, want)
	}
}

func TestChunkIsTheTreeAsWritten(t *testing.T) {
	p, err := Compile("x.lua", []byte("a.b = 1 .. 2"))
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		chunk := p.Chunk()
		if _, ok := chunk[0].(*ast.AssignStmt); !ok || len(chunk) != 1 {
			t.Errorf("got %#v, want one assignment", chunk)
		}
		chunk[0] = nil
	}
}
