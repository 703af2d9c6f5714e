package sandbox

import (
	"math"

	lua "github.com/yuin/gopher-lua"
)

// maths returns the functions of math. They have no bound to hold but that of the number of
// arguments, which max and min charge.
func (s *State) maths() map[string]lua.LGFunction {
	functions := map[string]lua.LGFunction{
		"frexp": func(l *lua.LState) int {
			fraction, exponent := math.Frexp(s.number(l, 1))
			l.Push(lua.LNumber(fraction))
			l.Push(lua.LNumber(exponent))
			return 2
		},
		"modf": func(l *lua.LState) int {
			whole, fraction := math.Modf(s.number(l, 1))
			if math.IsInf(whole, 0) {
				fraction = 0
			}
			l.Push(lua.LNumber(whole))
			l.Push(lua.LNumber(fraction))
			return 2
		},
		"ldexp":  func(l *lua.LState) int { return num(l, math.Ldexp(s.number(l, 1), s.int(l, 2))) },
		"max":    func(l *lua.LState) int { return s.extreme(l, func(a, b float64) bool { return a > b }) },
		"min":    func(l *lua.LState) int { return s.extreme(l, func(a, b float64) bool { return a < b }) },
		"random": s.random,
	}
	for name, f := range map[string]func(float64) float64{
		"abs": math.Abs, "acos": math.Acos, "asin": math.Asin, "atan": math.Atan, "ceil": math.Ceil, "cos": math.Cos,
		"cosh": math.Cosh, "exp": math.Exp, "floor": math.Floor, "log": math.Log, "log10": math.Log10, "sin": math.Sin,
		"sinh": math.Sinh, "sqrt": math.Sqrt, "tan": math.Tan, "tanh": math.Tanh,
		"deg": func(x float64) float64 { return x / (math.Pi / 180) },
		"rad": func(x float64) float64 { return x * (math.Pi / 180) },
	} {
		functions[name] = func(l *lua.LState) int { return num(l, f(s.number(l, 1))) }
	}
	for name, f := range map[string]func(a, b float64) float64{"atan2": math.Atan2, "fmod": math.Mod, "mod": math.Mod, "pow": math.Pow} {
		functions[name] = func(l *lua.LState) int { return num(l, f(s.number(l, 1), s.number(l, 2))) }
	}
	return functions
}

// extreme is math.max or math.min.
func (s *State) extreme(l *lua.LState, better func(a, b float64) bool) int {
	best := s.number(l, 1)
	for i := 2; i <= l.GetTop(); i++ {
		if f := s.number(l, i); better(f, best) {
			best = f
		}
	}
	s.charge(l, int64(l.GetTop())/4, 0)
	return num(l, best)
}

// random is math.random: a fraction in [0,1), or an integer from 1 or m to n. The numbers come from
// the host, which draws the same ones in a replay.
func (s *State) random(l *lua.LState) int {
	if s.cfg.Random == nil {
		l.RaiseError("math.random has no source of random numbers here")
	}
	from, to := 1.0, 0.0
	switch l.GetTop() {
	case 0:
		return num(l, s.cfg.Random())
	case 1:
		to = math.Floor(s.number(l, 1))
	default:
		from, to = math.Floor(s.number(l, 1)), math.Floor(s.number(l, 2))
	}
	if !(from <= to) {
		l.ArgError(l.GetTop(), "the interval is empty")
	}
	return num(l, from+math.Floor(s.cfg.Random()*(to-from+1)))
}
