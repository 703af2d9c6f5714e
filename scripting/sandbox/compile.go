package sandbox

import (
	"bytes"
	"fmt"

	lua "github.com/yuin/gopher-lua"
	"github.com/yuin/gopher-lua/ast"
	"github.com/yuin/gopher-lua/parse"
)

// MaxSource is the size of the largest script in bytes.
const MaxSource = 256 << 10

// A Program is one parsed, checked, rewritten and compiled Lua file. It is immutable; any number of states may run it.
type Program struct {
	Name   string // the prefix of every message, for example "ssh.lua"
	Source []byte

	proto *lua.FunctionProto
}

// Compile reads a script. An error is an [*Error], or several of them joined.
func Compile(name string, source []byte) (*Program, error) {
	p := &Program{Name: name, Source: bytes.Clone(source)}
	chunk, err := parse.Parse(bytes.NewReader(source), name)
	if err != nil {
		return nil, p.errorAt(0, 0, "%v", err)
	}
	proto, err := lua.Compile(chunk, name)
	if err != nil {
		return nil, p.errorAt(0, 0, "%v", err)
	}
	p.proto = proto
	return p, nil
}

// Chunk returns the tree as it was written, before rewriting. The caller owns it.
func (p *Program) Chunk() []ast.Stmt {
	chunk, err := parse.Parse(bytes.NewReader(p.Source), p.Name)
	if err != nil {
		panic(fmt.Sprintf("sandbox: %s was compiled and no longer parses: %v", p.Name, err))
	}
	return chunk
}

func (p *Program) errorAt(line, column int, format string, args ...any) *Error {
	return &Error{
		File:       p.Name,
		Line:       line,
		Column:     column,
		Message:    fmt.Sprintf(format, args...),
		SourceLine: sourceLine(p.Source, line),
	}
}
