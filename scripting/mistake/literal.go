package mistake

import (
	"strconv"

	"github.com/yuin/gopher-lua"
	"github.com/yuin/gopher-lua/ast"
)

// unknown stands for a value that the text does not have.
var unknown = &lua.LUserData{Metatable: lua.LNil}

// Known reports whether the text has a value. A table is known when all of its keys are. Its
// values may be unknown.
func Known(v lua.LValue) bool { return v != lua.LValue(unknown) }

// Whole reports whether the text has a value with all that is in it.
func Whole(v lua.LValue) bool {
	table, ok := v.(*lua.LTable)
	if !ok {
		return Known(v)
	}
	for key, value := table.Next(lua.LNil); key != lua.LNil; key, value = table.Next(key) {
		if !Whole(value) {
			return false
		}
	}
	return true
}

// value returns the value of an expression, as far as the text has it. Through variables it follows
// only strings, numbers and booleans, so that the work for an expression is bounded by its length.
func (f *finder) value(expr ast.Expr) lua.LValue {
	switch e := expr.(type) {
	case *ast.TableExpr:
		return f.table(e)
	case *ast.FunctionExpr:
		return &lua.LFunction{Proto: &lua.FunctionProto{}, Env: &lua.LTable{}}
	case *ast.UnaryMinusOpExpr:
		if n, ok := scalar(e.Expr).(lua.LNumber); ok {
			return -n
		}
	case *ast.IdentExpr:
		if v := f.variables[e]; v != nil && !v.assigned && v.init != nil {
			return scalar(v.init)
		}
	}
	return scalar(expr)
}

// scalar returns the value of a literal that is no table.
func scalar(expr ast.Expr) lua.LValue {
	switch e := expr.(type) {
	case *ast.StringExpr:
		return lua.LString(e.Value)
	case *ast.NumberExpr:
		if n, err := strconv.ParseFloat(e.Value, 64); err == nil {
			return lua.LNumber(n)
		}
	case *ast.TrueExpr:
		return lua.LTrue
	case *ast.FalseExpr:
		return lua.LFalse
	case *ast.NilExpr:
		return lua.LNil
	}
	return unknown
}

func (f *finder) table(e *ast.TableExpr) lua.LValue {
	table, items := &lua.LTable{Metatable: lua.LNil}, 0
	for i, field := range e.Fields {
		value := f.value(field.Value)
		switch key := field.Key.(type) {
		case nil:
			if i == len(e.Fields)-1 && several(field.Value) {
				return unknown
			}
			if items++; value != lua.LNil {
				table.RawSetInt(items, value)
			}
		case *ast.StringExpr:
			table.RawSetString(key.Value, value)
		default:
			return unknown
		}
	}
	return table
}

// several reports whether an expression may have any number of values, when it is the last.
func several(expr ast.Expr) bool {
	switch e := expr.(type) {
	case *ast.FuncCallExpr:
		return !e.AdjustRet
	case *ast.Comma3Expr:
		return !e.AdjustRet
	}
	return false
}
