package sandbox

import (
	"errors"
	"runtime"
	"strings"
	"testing"

	lua "github.com/yuin/gopher-lua"
	"github.com/yuin/gopher-lua/parse"
)

// seeds are scripts of every kind: plain, hostile and broken.
func seeds(f *testing.F, add func(string)) {
	f.Helper()
	for _, source := range corpus {
		add(source)
	}
	for _, tt := range hostile {
		add(tt.script)
	}
	for _, source := range []string{"if x then", "x = = 1", "local s = \"abc", "--[[", "a.b.c:d{1}\"x\"", "::l:: goto l", "x = 0x", "\x00", "\xff\xfe", "return ...", "f\n(g)()", "[==[ ]=] ]==]"} {
		add(source)
	}
}

// Compile takes any bytes, and every error has its place within the source.
func FuzzCompile(f *testing.F) {
	seeds(f, func(source string) { f.Add([]byte(source)) })
	f.Fuzz(func(t *testing.T, source []byte) {
		p, err := Compile("fuzz.lua", source)
		if (p == nil) != (err != nil) {
			t.Fatalf("program %v with error %v", p, err)
		}
		e := new(Error)
		if err != nil && !errors.As(err, &e) {
			t.Fatalf("an error without a place: %v", err)
		}
		if err != nil && (e.Message == "" || e.Line > strings.Count(strings.ReplaceAll(string(source), "\r", "\n"), "\n")+1) {
			t.Fatalf("%q is not in the source", err)
		}
		_ = e.Detail()
		if p != nil {
			p.Chunk()
		}
	})
}

// A script that compiles runs within its limits, twice the same, and never breaks the machine.
func FuzzRun(f *testing.F) {
	seeds(f, func(source string) { f.Add(source) })
	f.Fuzz(func(t *testing.T, source string) {
		p, err := Compile("fuzz.lua", []byte(source))
		if err != nil {
			return
		}
		once := func() (string, int64) {
			var out strings.Builder
			s := New(Config{Load: NewBudget(25_000), Call: 25_000, Print: func(_ int, text string) { out.WriteString(text) }, Random: func() float64 { return 0.5 }})
			defer s.Close()
			err := s.Run(p)
			out.WriteString(errorText(err))
			if fn, ok := s.Global("main").(*lua.LFunction); ok && err == nil {
				_, err = s.Call(fn, 0)
				out.WriteString(errorText(err))
			}
			if s.Broken() {
				t.Fatalf("broke: %v", err)
			}
			return out.String(), s.Steps()
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		text, steps := once()
		runtime.ReadMemStats(&after)
		if used := after.TotalAlloc - before.TotalAlloc; used > 48<<20 {
			t.Fatalf("allocated %d KiB", used>>10)
		}
		text2, steps2 := once()
		if text != text2 || steps != steps2 {
			t.Fatalf("%d steps, %q; then %d, %q", steps, text, steps2, text2)
		}
	})
}

// What is read as a module of data is a program too, which returns the same.
func FuzzData(f *testing.F) {
	for _, text := range []string{"{1, 2; 3}", `{a = "b", ["c d"] = {true, false, nil}, [3] = -0x10, [-1.5] = [[x]], [true] = 1e3}`, "{{{}}}", "{--[[c]] 1 --d\n}", "{1,,}", "{a}", "{[nil]=1}", "{[0/0]=1}", "{-'a'}", "{- -1}", "{[70000]=1}", "{'\\065\\z'};", "{010, 1e400}"} {
		f.Add("return " + text)
	}
	f.Fuzz(func(t *testing.T, source string) {
		if len(source) > 1<<12 {
			return
		}
		p := &Program{Name: "fuzz.lua", Source: plainText([]byte(source))}
		c, err := readData(p, NewBudget(LoadSteps))
		if err != nil {
			if e := new(Error); !errors.As(err, &e) || e.Message == "" {
				t.Fatalf("an error without a place: %v", err)
			}
			return
		}
		constructor := string(p.Source)
		constructor = strings.TrimPrefix(constructor[strings.Index(constructor, "return"):], "return")
		chunk, err := parse.Parse(strings.NewReader(string(p.Source)), p.Name)
		if err != nil || len(chunk) != 1 {
			t.Fatalf("%d statements, %v", len(chunk), err)
		}
		if strings.Contains(source[:strings.Index(source, "{")], "--") {
			return // a comment before the table may hold anything
		}
		want, _, err := compiledTable(t, constructor)
		if err == nil && shape(c.table) != shape(want) {
			t.Fatalf("read %s, compiled %s", shape(c.table), shape(want))
		}
		if err != nil {
			t.Fatalf("%s: %v", constructor, err)
		}
	})
}

// A match ends within its steps, and its captures are within the subject.
func FuzzPattern(f *testing.F) {
	for _, text := range []string{"a", "(a*)(.-)%1$", "^[^%w_]+()", "%b()", "%f[%a]", "[]-a]", "[%", "((()))", "%d+%.?%d*"} {
		f.Add(text, "a(b)c1.5")
	}
	f.Fuzz(func(t *testing.T, text, subject string) {
		p, err := readPattern(text, true)
		if err != nil {
			return
		}
		type stopped struct{}
		steps := 0
		m := &matcher{pattern: p, subject: subject, step: func() {
			if steps++; steps > 20_000 {
				panic(stopped{})
			}
		}}
		defer func() {
			if r := recover(); r != nil {
				if _, ok := r.(stopped); !ok {
					panic(r)
				}
			}
		}()
		from, to, ok := m.find(0)
		if ok && (from < 0 || to < from || to > len(subject)) {
			t.Fatalf("%q in %q: %d to %d", text, subject, from, to)
		}
		for i := 0; ok && i < p.captures; i++ {
			m.value(i, from, to)
		}
	})
}

func FuzzUnpack(f *testing.F) {
	f.Add("!I4 A16", "\x01\x00\x00\x000123456789abcdef", 1)
	f.Add(">s2 z <i16 d f n", "\x00\x01a\x00bcd\x00", 2)
	f.Add("!16 b I16 x c0 =J", strings.Repeat("\xff", 60), -40)
	f.Fuzz(func(t *testing.T, format, data string, position int) {
		values, next, err := unpackBytes(data, format, position)
		if err != nil {
			return
		}
		if next < 1 || next > len(data)+1 || len(values) > maxValues {
			t.Fatalf("%q of %d bytes at %d: next %d, %d values", format, len(data), position, next, len(values))
		}
	})
}
