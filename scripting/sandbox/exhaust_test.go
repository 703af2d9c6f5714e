package sandbox

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"

	lua "github.com/yuin/gopher-lua"
)

// repeat writes a format n times, with its number.
func repeat(n int, format string) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, format, i)
	}
	return b.String()
}

// Each script looks for work that costs the machine much and the script little.
var exhausting = []struct{ name, script string }{
	{"large tables of constants", `function main() while true do local t = {` + repeat(2000, "%d,") + `} end end`},
	{"large tables of tables", `function main() while true do local t = {` + repeat(500, "{a = %d},") + `} end end`},
	{"large tables with gaps", `function main() while true do local t = {[60000] = 1,` + repeat(300, "%d,") + `} end end`},
	{"varargs", `function main() local function f(...) return ... end local t={} for i=1,4000 do t[i]=i end while true do f(unpack(t)) end end`},
	{"varargs passed on", `function main() local t={} for i=1,4000 do t[i]=i end local function f(n,...) if n==0 then return ... end return (f(n-1,...)) end while true do f(3,unpack(t)) end end`},
	{"results passed on", `function main() local t={} for i=1,3000 do t[i]=i end local function f(n) if n==0 then return unpack(t) end return 1, f(n-1) end while true do f(4) end end`},
	{"results passed far", `function main() local t={} for i=1,300 do t[i]=i end local function f(n) if n==0 then return unpack(t) end return 1, f(n-1) end while true do f(80) end end`},
	{"select", `function main() local t={} for i=1,4000 do t[i]=i end local function f(...) while true do select(2, ...) end end f(unpack(t)) end`},
	{"arguments that are ignored", `function main() local t={} for i=1,4000 do t[i]=i end local function g() end local function f(...) while true do g(...) end end f(unpack(t)) end`},
	{"insertion in front", `function main() local t={} while true do table.insert(t,1,1) end end`},
	{"removal in front", `function main() local t={} for i=1,50000 do t[i]=1 end while true do table.remove(t,1) t[#t+1]=1 end end`},
	{"long keys", `function main() local s=("x"):rep(65000) local t={} t[s]=1 while true do local x=t[s] end end`},
	{"long keys of a function", `function main() local s=("x"):rep(65000) local t={} while true do local x=rawget(t,s) end end`},
	{"long keys assigned", `function main() local s=("x"):rep(65000) local t={} while true do t[s]=1 end end`},
	{"long equal strings", `function main() local a=("x"):rep(65000) local b=("x"):rep(65000) local n=0 while a==b do n=n+1 end end`},
	{"chain of __index", `function main() local t={} for i=1,98 do t=setmetatable({},{__index=t}) end while true do local x=t.y end end`},
	{"chain of __newindex", `function main() local t={} for i=1,98 do t=setmetatable({},{__newindex=t}) end while true do t.y=nil end end`},
	{"__call", `function main() local t=setmetatable({},{__call=function() end}) while true do t() end end`},
	{"__eq", `function main() local mt={__eq=function() return true end} local a,b=setmetatable({},mt),setmetatable({},mt) while a==b do end end`},
	{"open upvalues", `local function f(n) ` + repeat(50, "local a%d = 1 ") + ` local function g() return ` + repeat(50, "a%d+") + `1 end if n == 0 then local function l() end while true do l() end end f(n-1) end function main() f(100) end`},
	{"closures with upvalues", `function main() ` + repeat(50, "local a%d = 1 ") + ` while true do local g = function() return ` + repeat(50, "a%d+") + `1 end end end`},
	{"closures with new upvalues", `function main() while true do ` + repeat(50, "local a%d = 1 ") + ` local g = function() return ` + repeat(50, "a%d+") + `1 end end end`},
	{"concatenation of many numbers", `function main() local a=1.5 while true do local s=` + strings.Repeat("a..", 150) + `a end end`},
	{"constructors with many values", `function main() local t={} for i=1,4000 do t[i]=i end while true do local x={unpack(t)} end end`},
	{"string.char", `function main() local t={} for i=1,4000 do t[i]=65 end while true do local x=string.char(unpack(t)) end end`},
	{"math.max", `function main() local t={} for i=1,4000 do t[i]=65 end while true do local x=math.max(unpack(t)) end end`},
	{"string.byte", `function main() local s=("x"):rep(4000) while true do s:byte(1,-1) end end`},
	{"string.format", `function main() while true do local s=("%99.99f"):format(1e308) end end`},
	{"tostring", `function main() while true do local s=tostring(1e308/3) end end`},
	{"tonumber", `function main() local s=("1"):rep(250) while true do local x=tonumber(s) end end`},
	{"arithmetic with strings", `function main() local s=("1"):rep(250) while true do local x=s+s end end`},
	{"errors", `function main() while true do pcall(error) end end`},
	{"errors with a level", `function main() while true do pcall(error, "x", 1e9) end end`},
	{"errors in the deep", `local function f(n) if n==0 then while true do pcall(error) end end f(n-1) return 1 end function main() f(100) end`},
	{"pcall", `function main() while true do pcall(type, 1) end end`},
	{"pcall with many arguments", `function main() local t={} for i=1,3900 do t[i]=1 end while true do pcall(select, "#", unpack(t)) end end`},
	{"string.gmatch", `function main() local s=("x "):rep(30000) while true do for w in s:gmatch("%a") do end end end`},
	{"string.gsub with a table", `function main() local s=("x"):rep(60000) local t={x="y"} while true do s:gsub("x",t) end end`},
	{"string.find of plain text", `function main() local s=("x"):rep(60000) while true do s:find("xy",1,true) end end`},
	{"long patterns", `function main() local p=("[a-z]"):rep(400) while true do (""):find(p) end end`},
	{"string.upper", `function main() local s=("x"):rep(60000) while true do s:upper() end end`},
	{"string.reverse", `function main() local s=("x"):rep(600) while true do s:reverse() end end`},
	{"string.sub", `function main() local s=("x"):rep(600) while true do s:sub(2) end end`},
	{"string.unpack", `function main() local s=("x"):rep(4000) local f=("b"):rep(3000) while true do s:unpack(f) end end`},
	{"table.sort", `function main() local t={} for i=1,20000 do t[i]=-i end while true do table.sort(t) end end`},
	{"table.sort of long strings", `function main() local t={} local p=("x"):rep(3000) for i=1,500 do t[i]=p..i end while true do table.sort(t) end end`},
	{"table.maxn", `function main() local t={} for i=1,20000 do t[i]=-i end while true do table.maxn(t) end end`},
	{"table.concat", `function main() local t={} for i=1,20000 do t[i]=1 end while true do table.concat(t) end end`},
	{"metatables", `function main() local mt={} while true do setmetatable({}, mt) end end`},
	{"growing arguments", `local function f(...) return f(1, ...) end function main() while true do pcall(f) end end`},
	{"growing long arguments", `local t={} for i=1,3000 do t[i]=i end local function f(...) return f(1, 2, ...) end function main() f(unpack(t)) end`},
	{"recursion with long arguments", `local t={} for i=1,3900 do t[i]=i end local function f(n, ...) if n > 0 then return 1+f(n-1, ...) end return f(n, unpack(t)) end function main() for i=1,120 do pcall(f, i) end end`},
	{"results as arguments", `local t={} for i=1,3900 do t[i]=i end local function g(n) if n==0 then return unpack(t) end return 1, g(n-1) end local function h(...) return h(g(3), g(3), unpack(t)) end function main() h() end`},
	{"a tail call with many arguments", `local function f(...) return f(` + strings.Repeat("1,", 190) + ` ...) end function main() while true do pcall(f) end end`},
	{"a tail call in the deep", `local t = {} for i = 1, 3900 do t[i] = i end local function h(...) return h(1, ...) end local function f(n, ...) if n == 0 then return h(...) end return 1 + f(n - 1, ...) end function main() while true do for i = 1, 110 do pcall(f, i, unpack(t)) end end end`},
	{"many results in the deep", `local function g(n) if n == 0 then return 1 end return ` + strings.Repeat("1,", 180) + ` g(n - 1) end local function f(n, ...) if n == 0 then return 1 end return 1 + f(n - 1, g(60)) end function main() while true do pcall(f, 50) end end`},
	{"arguments through a function", `local t={} for i=1,3900 do t[i]=i end local function a(...) return ... end local function f(...) return f(a(...)) end function main() f(unpack(t)) end`},
}

func exhaust(t testing.TB, script string) (*State, *lua.LFunction) {
	t.Helper()
	st, err := load(t, Config{}, script)
	if err != nil {
		t.Fatal(err)
	}
	return st.State, st.Global("main").(*lua.LFunction)
}

// What is allocated, in all and not at once, stays within a small multiple of the limit of 4 MiB;
// BenchmarkExhausting shows the time.
func TestExhaustingScriptsEnd(t *testing.T) {
	for _, tt := range exhausting {
		t.Run(tt.name, func(t *testing.T) {
			s, main := exhaust(t, tt.script)
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_, err := s.Call(main, 0)
			runtime.ReadMemStats(&after)
			if !errors.Is(err, ErrSteps) {
				t.Errorf("got %v, want a limit", err)
			}
			if used := after.TotalAlloc - before.TotalAlloc; used > 48<<20 {
				t.Errorf("allocated %d MiB", used>>20)
			}
			if s.Broken() {
				t.Error("broke")
			}
		})
	}
}

func BenchmarkExhausting(b *testing.B) {
	for _, tt := range exhausting {
		b.Run(strings.ReplaceAll(tt.name, " ", "-"), func(b *testing.B) {
			s, main := exhaust(b, tt.script)
			for b.Loop() {
				if _, err := s.Call(main, 0); err == nil {
					b.Fatal("ended by itself")
				}
			}
		})
	}
}
