package sandbox

import (
	"reflect"
	"unsafe"

	lua "github.com/yuin/gopher-lua"
)

// This file charges for the instructions of the machine whose work has no small bound. They stay as
// gopher-lua compiles them, since nearly all uses of them are cheap: a hidden function in their
// place (hidden.go) would make every == and every t[k] several times slower.
//
// gopher-lua does not tell which instruction comes next, so it is read from private fields. Their
// places are those that reflection tells. TestWeights proves that the fields mean what is written
// here.
var (
	frameOffset    = offset(reflect.TypeFor[lua.LState](), "currentFrame")
	functionOffset = offset(frameType, "Fn")
	pcOffset       = offset(frameType, "Pc")
)

// frameType is the type callFrame.
var frameType = func() reflect.Type {
	field, _ := reflect.TypeFor[lua.LState]().FieldByName("currentFrame")
	return field.Type.Elem()
}()

// offset returns where a field is in a struct. Another version of gopher-lua may lack it; then the
// program ends at its start, instead of running with wrong costs.
func offset(structure reflect.Type, name string) uintptr {
	field, ok := structure.FieldByName(name)
	if !ok {
		panic("sandbox: this version of gopher-lua has another stack")
	}
	return field.Offset
}

// next returns the function that a stack runs, and the instruction that it is about to run: by then
// mainLoopWithContext (vm.go) has advanced the program counter.
func next(l *lua.LState) (*lua.FunctionProto, uint32) {
	frame := *(*unsafe.Pointer)(unsafe.Add(unsafe.Pointer(l), frameOffset))
	proto := (*(**lua.LFunction)(unsafe.Add(frame, functionOffset))).Proto
	return proto, proto.Code[*(*int)(unsafe.Add(frame, pcOffset))-1]
}

// How much of what an instruction does costs a step.
const (
	bytesOfAStep  = 64 // compared or hashed
	linksOfAStep  = 2  // metatables on the way to a field
	valuesOfAStep = 8  // passed to a function, or returned
)

// weight returns what the next instruction costs beside the one step of each.
func weight(l *lua.LState) int64 {
	proto, instruction := next(l)
	a, b, c := int(instruction>>18&0xff), int(instruction&0x1ff), int(instruction>>9&0x1ff)
	switch int(instruction >> 26) {
	case lua.OP_EQ:
		return equalWeight(operand(l, proto, b), operand(l, proto, c))
	case lua.OP_GETTABLE, lua.OP_GETTABLEKS, lua.OP_SELF:
		return fieldWeight(l.Get(b+1), operand(l, proto, c))
	case lua.OP_CALL, lua.OP_TAILCALL, lua.OP_RETURN:
		if b == 0 { // all values from register a on
			return int64(l.GetTop()-a) / valuesOfAStep
		}
	}
	return 0
}

// operand returns the value that a number of nine bits names: a register, or from 256 on a
// constant (opRkAsk in opcode.go).
func operand(l *lua.LState, proto *lua.FunctionProto, rk int) lua.LValue {
	if rk < 256 {
		return l.Get(rk + 1)
	}
	return proto.Constants[rk-256]
}

// equalWeight is for a == b. Only strings of the same length are compared byte by byte.
func equalWeight(a, b lua.LValue) int64 {
	x, isX := a.(lua.LString)
	y, isY := b.(lua.LString)
	if isX && isY && len(x) == len(y) {
		return int64(len(x)) / bytesOfAStep
	}
	return 0
}

// fieldWeight is for object[key]. A table that does not have the key asks the next one that
// __index names, and each of them hashes the key. All of them are charged, since to know who has
// the key would cost as much as the instruction.
func fieldWeight(object, key lua.LValue) int64 {
	links := int64(0)
	for ; links < maxChain; links++ {
		table, _ := object.(*lua.LTable)
		if table == nil || table.Metatable == lua.LNil {
			break
		}
		mt, _ := table.Metatable.(*lua.LTable)
		if mt == nil {
			break
		}
		if object = mt.RawGetString("__index"); object == lua.LNil {
			break
		}
	}
	return links/linksOfAStep + (links+1)*keyWeight(key)
}

// keyWeight is what hashing a key costs.
func keyWeight(key lua.LValue) int64 {
	if text, ok := key.(lua.LString); ok {
		return int64(len(text)) / bytesOfAStep
	}
	return 0
}
