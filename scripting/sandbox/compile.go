package sandbox

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	lua "github.com/yuin/gopher-lua"
	"github.com/yuin/gopher-lua/parse"
)

// How large a file may be, in bytes. With the budget, and the limits in token.go and check.go, this
// bounds all work of Compile.
const (
	// MaxSource is the limit of a script, and of a module with code. The syntax tree of a file is
	// up to a hundred times as large as its text.
	MaxSource = 1 << 20
	// MaxData is the limit of a module of data: see data.go.
	MaxData = 16 << 20
	// minData is how long a text is that may be read as one. The tree of a shorter one is small,
	// and tells more about a set.
	minData = 64 << 10
)

// What a compiled function may hold. gopher-lua counts the captured variables (upvalues) of a
// function in a byte (FunctionProto.NumUpvalues), and has 18 bits with a sign for the distance of a
// jump (opMaxArgSbx). Its compiler checks neither, so a larger function would use other variables
// or jump to other places than it was written to.
const (
	maxUpvalues = 250
	maxCode     = 100_000
)

// Compile compiles a script with a budget of its own: see [Budget.Compile].
func Compile(name string, source []byte) (*Program, error) {
	return NewBudget(LoadSteps).Compile(name, source)
}

// Compile parses, checks, rewrites and compiles a script. It copies source. The name may be any
// text; it precedes each message. An error is an [*Error], or several of them joined: up to
// 100 when check finds more than one.
func (b *Budget) Compile(name string, source []byte) (*Program, error) {
	before := *b
	p, err := b.compile(name, source)
	if err != nil {
		return nil, err
	}
	p.cost = cost{steps: b.steps - before.steps, bytes: b.bytes - before.bytes}
	return p, nil
}

// Compiled counts a program that was compiled before as if it was compiled now. So whether a set
// loads does not depend on what was loaded before it.
func (b *Budget) Compiled(p *Program) error {
	if !b.charge(p.cost.steps, p.cost.bytes) {
		return b.failed(p, 0)
	}
	return nil
}

// What compiling costs. A byte of text is read three times, and kept twice as text and as lines. A
// token becomes a part of the tree, which is kept, and an instruction or two.
const (
	textBytes       = 4    // for each byte
	dataSteps       = 16   // bytes of a module of data for a step: they are read once
	lineBytes       = 32   // for each line
	tokenSteps      = 2    // for each token, beside its memory
	tokenBytes      = 96   // for each token
	protoSteps      = 100  // for each function
	protoBytes      = 2048 // for each function
	comparedOfAStep = 75   // constants of a function with each other
)

func (b *Budget) compile(name string, source []byte) (*Program, error) {
	source = plainText(source)
	p := &Program{Name: name, Source: source}
	if len(source) > MaxData {
		return nil, &Error{File: name, Message: fmt.Sprintf("the file has %d bytes: at most %d", len(source), MaxData)}
	}
	if !b.left() {
		return nil, b.failed(p, 0)
	}
	if len(source) > minData {
		if data, err := readData(p, b); err == nil {
			return p.ofData(data)
		} else if len(source) > MaxSource || b.err != nil {
			return nil, err
		}
	}
	if !b.charge(0, textBytes*int64(len(source))+lineBytes*int64(bytes.Count(source, []byte("\n")))) {
		return nil, b.failed(p, 0)
	}
	if err := inspect(p, b); err != nil {
		return nil, err
	}
	chunk, err := parse.Parse(bytes.NewReader(source), name)
	if err != nil {
		return nil, p.syntax(err)
	}
	c := check(p, b, chunk)
	switch err := c.failed(); {
	case err != nil:
		return nil, err
	case b.err != nil:
		return nil, b.failed(p, 0)
	}
	p.reads = c.reads()
	p.proto, err = lua.Compile(rewrite(c, chunk), name)
	if err != nil {
		return nil, p.uncompiled(err)
	}
	repair(p.proto)
	if err := p.within(p.proto); err != nil {
		return nil, err
	}
	shrink(p.proto)
	return p, nil
}

// shrink gives back the memory that gopher-lua reserves for each function (newFunctionProto): some
// 6 KiB, of which most functions need a small part.
func shrink(proto *lua.FunctionProto) {
	proto.Code, proto.Constants = slices.Clone(proto.Code), slices.Clone(proto.Constants)
	proto.DbgSourcePositions, proto.DbgLocals = slices.Clone(proto.DbgSourcePositions), slices.Clone(proto.DbgLocals)
	proto.DbgCalls, proto.DbgUpvalues = slices.Clone(proto.DbgCalls), slices.Clone(proto.DbgUpvalues)
	proto.FunctionPrototypes = slices.Clone(proto.FunctionPrototypes)
	for _, inner := range proto.FunctionPrototypes {
		shrink(inner)
	}
}

// plainText returns a copy of a file without what editors and shells put at its head: a byte order
// mark, and a first line that begins with #. The line becomes blanks, so that the numbers of lines
// and columns stay.
func plainText(source []byte) []byte {
	source = bytes.Clone(bytes.TrimPrefix(source, []byte("\ufeff")))
	for i := 0; i < len(source) && source[0] == '#' && source[i] != '\n'; i++ {
		if i > 0 {
			source[i] = ' '
		}
	}
	if len(source) > 0 && source[0] == '#' {
		source[0] = ' '
	}
	return source
}

// within refuses functions that gopher-lua has compiled and that the machine would run wrongly. It
// looks at the result, since the rewriting adds variables and instructions.
func (p *Program) within(proto *lua.FunctionProto) error {
	switch {
	case len(proto.DbgUpvalues) > maxUpvalues:
		return p.errorAt(proto.LineDefined, 0, "the function uses more than %d variables of the functions around it", maxUpvalues)
	case len(proto.Code) > maxCode:
		return p.errorAt(proto.LineDefined, 0, "the function is too large: divide it")
	}
	for _, inner := range proto.FunctionPrototypes {
		if err := p.within(inner); err != nil {
			return err
		}
	}
	return nil
}

// atLine finds the place that gopher-lua writes into some messages (compile.go, resolveGoto).
var atLine = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(` at line (\d+)`) })

// uncompiled returns what gopher-lua's compiler refused, in plain words.
func (p *Program) uncompiled(err error) error {
	failed := new(lua.CompileError)
	if !errors.As(err, &failed) {
		return p.errorAt(0, 0, "the compiler failed: %v", err)
	}
	line, message := failed.Line, failed.Message
	if match := atLine().FindStringSubmatch(message); match != nil {
		line, _ = strconv.Atoi(match[1])
		message = strings.ReplaceAll(strings.Replace(message, match[0], "", 1), "<goto>", "goto")
	}
	switch {
	case strings.Contains(message, "local variables"), strings.Contains(message, "register overflow"):
		message = "too many local variables, or too large an expression: at most 200 in one function"
	case message == "no loop to break":
		message = "break outside a loop"
	case strings.HasPrefix(message, "cannot use '...'"):
		message = "'...' outside a function that takes '...'"
	}
	// The line of a label is that of the token behind it, which may be behind the end of the file.
	return p.errorAt(min(line, 1+bytes.Count(p.Source, []byte("\n"))), 0, "%s", message)
}
