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
	Source []byte // without byte order mark and first line of a shell; not to be changed; nil for a module of data

	proto *lua.FunctionProto // takes the functions of hidden in their order, returns the script's main function
	reads []read             // the globals that it reads

	cost      cost                 // of compiling it
	constants map[string]constants // the tables that the hidden function constants makes, by name
	data      bool                 // the program returns the only one of these, and does nothing else
}

// IsData reports whether the program is a module of data: one return of a table of constants. It
// has no [Program.Chunk].
func (p *Program) IsData() bool { return p.data }

// keep keeps a table for the hidden function constants, and returns its name.
func (p *Program) keep(c constants) string {
	if p.constants == nil {
		p.constants = map[string]constants{}
	}
	called := name(c.table)
	p.constants[called] = c
	return called
}

// ofData makes p return a table. The program is compiled, so that it runs as others do.
func (p *Program) ofData(data constants) (*Program, error) {
	result := &ast.ReturnStmt{Exprs: []ast.Expr{call(1, hiddenConstants, text(1, p.keep(data)))}}
	setLine(1, result)
	p.data, p.Source = true, nil
	proto, err := lua.Compile(chunkOf([]ast.Stmt{result}), p.Name)
	if err != nil {
		return nil, p.uncompiled(err)
	}
	p.proto = proto
	return p, nil
}

// A read is a global that a program reads, with the first line that does.
type read struct {
	name string
	line int
}

// Chunk parses the program again and returns the tree as it was written. The rewriting changes its
// tree in place, so it cannot serve for this. The caller owns the result. It is nil for a module of
// data, whose tree nobody needs.
func (p *Program) Chunk() []ast.Stmt {
	if p.data {
		return nil
	}
	chunk, err := parse.Parse(bytes.NewReader(p.Source), p.Name)
	if err != nil {
		panic(fmt.Sprintf("sandbox: %s was compiled and no longer parses: %v", p.Name, err))
	}
	return chunk
}

// errorAt returns an Error at a place of the source. Line and column count from 1; 0 is unknown.
func (p *Program) errorAt(line, column int, format string, args ...any) *Error {
	e := &Error{File: p.Name, Line: line, Column: column, Message: fmt.Sprintf(format, args...)}
	e.Quote(sourceLine(p.Source, line))
	return e
}
