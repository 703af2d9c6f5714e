package sandbox

import (
	"strings"
	"testing"

	lua "github.com/yuin/gopher-lua"
)

func benchmarkCall(b *testing.B, source string, args ...lua.LValue) {
	st, err := load(b, Config{}, source)
	if err != nil {
		b.Fatal(err)
	}
	fn := st.Global("main").(*lua.LFunction)
	var steps int64
	b.ReportAllocs()
	for b.Loop() {
		if _, err := st.Call(fn, 1, args...); err != nil {
			b.Fatal(err)
		}
		steps += st.Steps()
	}
	b.ReportMetric(float64(steps)/b.Elapsed().Seconds(), "steps/s")
}

func BenchmarkCallEmpty(b *testing.B) { benchmarkCall(b, "function main() end") }

func BenchmarkCallSmall(b *testing.B) {
	benchmarkCall(b, `function main(source, count)
		if count > 3 then return "too many from " .. source end
		local t = {source = source, count = count}
		t.next = count + 1
		return t.source .. ": " .. t.next
	end`, lua.LString("192.0.2.1"), lua.LNumber(2))
}

func BenchmarkCallLoop(b *testing.B) {
	benchmarkCall(b, `function main() local n = 0 for i = 1, 10000 do n = n + i % 7 end return n end`)
}

func BenchmarkCallConcat(b *testing.B) {
	benchmarkCall(b, `function main() local s for i = 1, 1000 do s = "x" .. i end return s end`)
}

func BenchmarkCallFields(b *testing.B) {
	benchmarkCall(b, `function main() local t = {x = 0} for i = 1, 1000 do t.x = t.x + 1 t[i] = i end return t.x end`)
}

func BenchmarkCallPattern(b *testing.B) {
	benchmarkCall(b, `function main(s) return s:match("(%w+)%s*=%s*(%w+)") end`, lua.LString(strings.Repeat("- ", 50)+"key = value"))
}

func BenchmarkNew(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		New(Config{}).Close()
	}
}

func BenchmarkCompile(b *testing.B) {
	source := []byte(strings.Repeat("function f(x)\n  if x.n > 3 then return x.name .. ': ' .. x.n end\n  local t = {x.n, y = x.name}\n  t.z = #t\n  return t\nend\n", 100))
	b.SetBytes(int64(len(source)))
	for b.Loop() {
		if _, err := Compile("bench.lua", source); err != nil {
			b.Fatal(err)
		}
	}
}
