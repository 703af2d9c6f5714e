package sandbox

import (
	"bytes"
	"fmt"

	lua "github.com/yuin/gopher-lua"
	"github.com/yuin/gopher-lua/ast"
	"github.com/yuin/gopher-lua/parse"
)

// A Program is one parsed, checked, rewritten and compiled Lua file. It is immutable, and any
// number of States may run it at the same time.
type Program struct {
	Name   string // the prefix of every message, for example "ssh.lua"
	Source []byte // without byte order mark and first line of a shell; not to be changed

	proto *lua.FunctionProto // takes the functions of hidden in their order, returns the script's main function
	reads []read             // the globals that it reads
}

// A read is a global that a program reads, with the first line that does.
type read struct {
	name string
	line int
}

// Chunk parses the program again and returns the tree as it was written. The rewriting changes its
// tree in place, so it cannot serve for this. The caller owns the result.
func (p *Program) Chunk() []ast.Stmt {
	chunk, err := parse.Parse(bytes.NewReader(p.Source), p.Name)
	if err != nil {
		panic(fmt.Sprintf("sandbox: %s was compiled and no longer parses: %v", p.Name, err))
	}
	return chunk
}

// errorAt returns an Error at a place of the source. Line and column count from 1; 0 is unknown.
func (p *Program) errorAt(line, column int, format string, args ...any) *Error {
	return &Error{
		File:       p.Name,
		Line:       line,
		Column:     column,
		Message:    fmt.Sprintf(format, args...),
		SourceLine: sourceLine(p.Source, line),
	}
}
