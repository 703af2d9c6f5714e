package mistake

import (
	"fmt"
	"strings"

	"github.com/yuin/gopher-lua"
	"github.com/yuin/gopher-lua/ast"

	"sesame/scripting/source"
)

// maxMistakes bounds the mistakes of one file.
const maxMistakes = 100

// Find returns the mistakes in the functions of the scripts and modules of a set, in the order of
// each text.
func Find(scripts []*source.Script, api *API) []Mistake {
	f := &finder{
		api: api, modules: map[string]*text{}, variables: map[*ast.IdentExpr]*variable{},
		functions: map[*ast.FunctionExpr]*function{}, fields: map[field][]ast.Expr{},
		above: map[ast.Expr]*ast.LogicalOpExpr{}, sometimes: map[ast.Expr]bool{},
	}
	for _, script := range scripts {
		f.read(script)
	}
	f.connect()
	j := &judge{finder: f, count: map[string]int{}, combined: map[ast.Expr]bool{}}
	for i := range f.uses {
		j.use(&f.uses[i])
	}
	for _, u := range f.tests {
		j.truth(u)
	}
	for _, script := range scripts {
		for _, fn := range f.modules[script.Path].all {
			j.results(fn)
		}
	}
	return j.found
}

// A judge compares uses with the API.
type judge struct {
	*finder
	found []Mistake
	count map[string]int // by file
	// combined has the operators that are reported: one for all of their operands.
	combined map[ast.Expr]bool
}

func (j *judge) report(m Mistake) {
	if j.count[m.File]++; j.count[m.File] <= maxMistakes {
		j.found = append(j.found, m)
	}
}

// A finding is what is wrong with a use in one context.
type finding struct {
	at       source.Place
	message  string
	doubtful bool
}

// use reports what is wrong with a use. It is certain when each value that the object may have is
// certain, and the use is wrong for all of them. Only what is wrong gets a place: to find it takes
// time in proportion to the line.
func (j *judge) use(u *use) {
	if j.count[u.text.script.Path] >= maxMistakes {
		return
	}
	contexts := j.contexts(u.object, 0)
	wrong, certain := -1, true
	for i, c := range contexts {
		bad := len(j.judge(u, c, source.Place{})) > 0
		certain = certain && c.certain && bad
		if bad && wrong < 0 {
			wrong = i
		}
	}
	if wrong < 0 {
		return
	}
	for _, one := range j.judge(u, contexts[wrong], place(u.text.script, spot{u.line, "." + u.name}, u.nth)) {
		j.report(Mistake{one.at, one.message, certain && !one.doubtful})
	}
}

// judge returns what is wrong with a use in a context. The place is that of the name.
func (j *judge) judge(u *use, c context, at source.Place) []finding {
	one := func(format string, args ...any) []finding {
		return []finding{{at: at, message: fmt.Sprintf(format, args...)}}
	}
	m := c.object.Members[u.name]
	written := writtenAs(u.object, c.object.Name)
	switch {
	case c.object.Name == "sesame" && u.fn == nil:
		return nil // it runs while the file loads, which reports it
	case u.how == assigns:
		return one("%s is read-only: keep what must last in a store", written)
	case m == nil:
		return one("%s", c.object.Unknown(u.name))
	case m.Kind == Registration && u.fn.runsLater():
		return one("sesame.%s registers while the file loads: call it at the top level, not in a function that runs later", u.name)
	case m.Kind == Field && u.how != reads:
		return one("%s is a value: write %s.%s, with a dot and without a call", u.name, written, u.name)
	case m.Kind == Method && u.how == callsWithColon:
		return j.arguments(u, c, m, at, u.args)
	case m.Kind == Method && u.how == callsWithDot:
		return j.dotted(u, c, m, at, written)
	}
	return nil
}

// dotted judges attempt.allow(...). It is right when the first argument is the object.
func (j *judge) dotted(u *use, c context, m *Member, at source.Place, written string) []finding {
	if len(u.args) == 0 || Known(j.value(u.args[0])) {
		return []finding{{at: at, message: fmt.Sprintf("%s was called without its %s: write %s:%s, with a colon", u.name, c.object.Name, written, u.name)}}
	}
	for _, other := range j.contexts(u.args[0], 0) {
		if other.object == c.object {
			return j.arguments(u, c, m, at, u.args[1:])
		}
	}
	return nil
}

// maxPlaced bounds the arguments of a call whose places are looked up.
const maxPlaced = 8

// arguments judges the call of a method.
func (j *judge) arguments(u *use, c context, m *Member, at source.Place, args []ast.Expr) []finding {
	if why := m.Barred(c.hook); why != "" {
		return []finding{{at: at, message: why}}
	}
	var wrong []finding
	doubtful := false
	call := &Call{
		File: u.text.script, At: at, Hook: c.hook,
		Report: func(at source.Place, message string) { wrong = append(wrong, finding{at: at, message: message}) },
		Doubt:  func() { doubtful = true },
	}
	for i, arg := range args {
		if i == len(args)-1 && several(arg) {
			call.Open = true
			break
		}
		a := Arg{Expr: arg, At: at, Value: j.value(arg), Origin: j.origin(arg)}
		if table, ok := arg.(*ast.TableExpr); ok {
			a.Entries = j.entries(table)
		}
		if at.Line > 0 && i < maxPlaced {
			a.At = u.text.script.At(arg, at.Column)
		}
		call.Args = append(call.Args, a)
	}
	m.Judge(call)
	for i := range wrong {
		wrong[i].doubtful = doubtful
	}
	return wrong
}

// origin returns the call of the API that an argument has its value from.
func (j *judge) origin(expr ast.Expr) Origin {
	e, ok := expr.(*ast.IdentExpr)
	if !ok || j.variables[e] == nil || j.variables[e].assigned {
		return Origin{}
	}
	v := j.variables[e]
	call, ok := v.init.(*ast.FuncCallExpr)
	if !ok {
		return Origin{}
	}
	callee, ok := call.Func.(*ast.AttrGetExpr)
	if !ok {
		return Origin{}
	}
	if member, _ := j.memberOf(callee); member == nil {
		return Origin{}
	}
	return Origin{callee.Key.(*ast.StringExpr).Value, v.text.script.Path, call.Line()}
}

// entries returns the origins of the named entries of a table.
func (j *judge) entries(table *ast.TableExpr) map[string]Origin {
	origins := map[string]Origin{}
	for _, field := range table.Fields {
		if key, ok := field.Key.(*ast.StringExpr); ok {
			origins[key.Value] = j.origin(field.Value)
		}
	}
	return origins
}

// results reports functions that must answer and do not, and results that are refused.
func (j *judge) results(fn *function) {
	if len(fn.hooks) == 0 || j.count[fn.text.script.Path] >= maxMistakes {
		return
	}
	if len(fn.returns) == 0 && !j.raises(fn.expr.Stmts, 0) {
		j.result(fn, lua.LNil, spot{fn.expr.Line(), "function"}, fn.nth)
	}
	for _, r := range fn.returns {
		value := lua.LValue(lua.LNil)
		if len(r.Exprs) > 0 {
			value = scalar(r.Exprs[0])
		}
		if Known(value) {
			j.result(fn, value, spot{r.Line(), "return"}, r.nth)
		} else {
			j.answers(fn, r)
		}
	}
}

// result reports a result that all hooks of a function refuse.
func (j *judge) result(fn *function, value lua.LValue, at spot, nth int) {
	certain, message := true, ""
	for _, h := range fn.hooks {
		if message = j.api.Hooks[h.hook].Result(value); message == "" {
			return
		}
		certain = certain && h.certain()
	}
	j.report(Mistake{place(fn.text.script, at, nth), message, certain})
}

// writtenAs returns a receiver as it is written, or the name of its object.
func writtenAs(expr ast.Expr, object string) string {
	switch e := expr.(type) {
	case *ast.IdentExpr:
		return e.Value
	case *ast.AttrGetExpr:
		if key, ok := e.Key.(*ast.StringExpr); ok {
			return writtenAs(e.Object, object) + "." + key.Value
		}
	}
	return object
}

// place returns where a word is in its line, for the nth time.
func place(script *source.Script, at spot, nth int) source.Place {
	place := source.Place{File: script.Path, Line: at.line}
	word, named := strings.CutPrefix(at.word, ".")
	place.Column = script.Column(at.line, word, 0)
	if at.line < 1 || at.line > len(script.Lines) {
		return place
	}
	line := script.Lines[at.line-1]
	for from := 0; ; from += len(word) {
		i := strings.Index(line[from:], word)
		if i < 0 {
			return place
		}
		from += i
		before := strings.TrimRight(line[:from], " \t")
		dotted := strings.HasSuffix(before, ".") || strings.HasSuffix(before, ":")
		if dotted != named || from > 0 && letter(line[from-1]) || from+len(word) < len(line) && letter(line[from+len(word)]) {
			continue
		}
		if nth == 0 {
			place.Column = from + 1
			return place
		}
		nth--
	}
}

func letter(c byte) bool {
	return c == '_' || '0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'z'
}
