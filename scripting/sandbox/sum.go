package sandbox

import (
	"crypto/sha256"
	"encoding/binary"
	"hash"
	"strconv"

	lua "github.com/yuin/gopher-lua"
)

// A Sum identifies compiled code. Comments, layout and the lines on which the code stands do not
// matter. The values of captured variables are not part of it.
type Sum [sha256.Size]byte

// SumOf returns the sum of a function with the functions inside it.
func SumOf(proto *lua.FunctionProto) Sum {
	h := sha256.New()
	add(h, proto, nil)
	return Sum(h.Sum(nil))
}

// Sums returns the sum of the code that runs when the program does, and that of its functions
// without those in except and what is inside them.
func (p *Program) Sums(except map[*lua.FunctionProto]bool) (top, functions Sum) {
	h := sha256.New()
	main := p.proto.FunctionPrototypes[0]
	for _, proto := range main.FunctionPrototypes {
		add(h, proto, except)
	}
	all := make(map[*lua.FunctionProto]bool, len(main.FunctionPrototypes))
	for _, proto := range main.FunctionPrototypes {
		all[proto] = true
	}
	t := sha256.New()
	add(t, main, all)
	return Sum(t.Sum(nil)), Sum(h.Sum(nil))
}

// add writes what decides how a function runs. Whatever has no fixed length is preceded by its
// length, so that two functions never write the same.
func add(h hash.Hash, proto *lua.FunctionProto, except map[*lua.FunctionProto]bool) {
	if except[proto] {
		return
	}
	h.Write([]byte{1, proto.NumUpvalues, proto.NumParameters, proto.IsVarArg, proto.NumUsedRegisters})
	number := func(n int) { h.Write(binary.LittleEndian.AppendUint64(nil, uint64(n))) }
	number(len(proto.Code))
	for _, instruction := range proto.Code {
		h.Write(binary.LittleEndian.AppendUint32(nil, instruction))
	}
	number(len(proto.Constants))
	for _, constant := range proto.Constants {
		text := constantText(constant)
		number(int(constant.Type()))
		number(len(text))
		h.Write([]byte(text))
	}
	number(len(proto.FunctionPrototypes))
	for _, inner := range proto.FunctionPrototypes {
		add(h, inner, except)
	}
}

// constantText returns a text that differs for different constants of the same type.
func constantText(constant lua.LValue) string {
	if n, ok := constant.(lua.LNumber); ok {
		return strconv.FormatFloat(float64(n), 'x', -1, 64)
	}
	return constant.String()
}
