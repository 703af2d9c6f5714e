package sandbox

import (
	"errors"
	"fmt"

	lua "github.com/yuin/gopher-lua"
	"github.com/yuin/gopher-lua/ast"
	"github.com/yuin/gopher-lua/parse"
)

// This file reads a module of data: one return of a table of constants, and nothing else. Its
// values are made while the tokens are read, so such a file needs no syntax tree, which would be
// ten times as large as the text.

const constantKinds = ": a string, a number, true, false, nil or a table of such"

// A dataReader reads the tokens of a module of data.
type dataReader struct {
	scan *scan
	maker
	keys []lua.LValue // of the tables that are open, below the outermost; nil: an item
}

// readData reads a module of data. After an error the text may still be a program, unless it is too
// long for one, which the message says. What readData accepts gopher-lua's parser accepts too.
func readData(p *Program, b *Budget) (constants, error) {
	r := &dataReader{scan: newScan(p), maker: maker{budget: b}}
	if r.next() != nil || r.scan.token.Type != parse.TReturn || r.next() != nil || r.scan.token.Type != '{' {
		return constants{}, &Error{File: p.Name, Message: fmt.Sprintf("the file has %d bytes: at most %d; divide it with require. "+
			"A module that is one return of a table of constants may have %d", len(p.Source), MaxSource, MaxData)}
	}
	b.charge(int64(len(p.Source))/dataSteps, int64(len(p.Source)))
	table, err := r.table()
	if err == nil {
		err = r.end()
	}
	if err != nil && !errors.As(err, new(*Error)) {
		at := r.scan.token.Pos
		e := p.errorAt(at.Line, at.Column, "%v", err)
		e.Cause, err = b.err, e
	}
	return constants{table, r.cost}, err
}

func (r *dataReader) next() error {
	if err := r.scan.next(); err != nil {
		return r.scan.program.lexical(r.scan, err)
	}
	if t := r.scan.token; t.Type == parse.TIdent && len(t.Str) > maxName {
		return fmt.Errorf("a name has %d letters: at most %d", len(t.Str), maxName)
	}
	return nil
}

// end reads what may follow the table: a semicolon.
func (r *dataReader) end() error {
	if err := r.next(); err != nil {
		return err
	}
	if r.scan.token.Type == ';' {
		if err := r.next(); err != nil {
			return err
		}
	}
	if r.scan.token.Type != parse.EOF {
		return r.unexpected("expected the end of the file")
	}
	return nil
}

// table reads the outermost table, from its bracket on. Brackets nest at most maxNesting deep, and
// the stack is r.open. Before each round the token at hand begins an entry, or is the '}'.
func (r *dataReader) table() (table *lua.LTable, err error) {
	r.begin()
	err = r.next()
	for err == nil && table == nil {
		if r.scan.token.Type == '}' {
			table, err = r.behind()
		} else {
			table, err = r.entry()
		}
	}
	return table, err
}

// entry reads an item or a field, with what is behind it. Of a table in the table it reads the '{'.
func (r *dataReader) entry() (whole *lua.LTable, err error) {
	key, err := r.key()
	if err != nil {
		return nil, err
	}
	if r.scan.token.Type == '{' {
		if len(r.open) == maxNesting {
			return nil, fmt.Errorf("nested too deeply: at most %d brackets", maxNesting)
		}
		r.keys = append(r.keys, key)
		r.begin()
		return nil, r.next()
	}
	value, err := r.constant()
	if err != nil {
		return nil, err
	}
	if err := r.put(key, value); err != nil {
		return nil, err
	}
	if err := r.next(); err != nil {
		return nil, err
	}
	return r.behind()
}

// behind reads what is behind a value: a separator, or the '}' of each table that ends there. It
// returns the outermost table when that ends.
func (r *dataReader) behind() (whole *lua.LTable, err error) {
	for r.scan.token.Type == '}' {
		table, err := r.maker.end()
		if err != nil || len(r.open) == 0 {
			return table, err
		}
		key := r.keys[len(r.keys)-1]
		r.keys = r.keys[:len(r.keys)-1]
		if err := r.put(key, table); err != nil {
			return nil, err
		}
		if err := r.next(); err != nil {
			return nil, err
		}
	}
	if r.scan.token.Type != ',' && r.scan.token.Type != ';' {
		return nil, r.unexpected("',' is missing before it")
	}
	return nil, r.next()
}

// put stores a value under its key, or as an item when that is nil.
func (r *dataReader) put(key, value lua.LValue) error {
	if key == nil {
		return r.item(value)
	}
	return r.field(key, value)
}

func (r *dataReader) unexpected(expected string) error {
	return fmt.Errorf("unexpected %s: %s; only a table of constants may have more than %d bytes", describe(r.scan.token), expected, MaxSource)
}

// key reads NAME = or [CONSTANT] =, so that the token at hand begins the value. nil: the token at
// hand begins an item.
func (r *dataReader) key() (key lua.LValue, err error) {
	switch r.scan.token.Type {
	case parse.TIdent:
		key = lua.LString(r.scan.token.Str)
	case '[':
		if err := r.next(); err != nil {
			return nil, err
		}
		if key, err = r.constant(); err != nil {
			return nil, err
		}
		if err := r.expect(']'); err != nil {
			return nil, err
		}
	default:
		return nil, nil
	}
	if err := r.expect('='); err != nil {
		return nil, err
	}
	return key, r.next()
}

func (r *dataReader) expect(kind rune) error {
	if err := r.next(); err != nil {
		return err
	}
	if r.scan.token.Type != int(kind) {
		return r.unexpected(fmt.Sprintf("expected '%c', or a constant%s", kind, constantKinds))
	}
	return nil
}

// constant returns the constant that begins at the token at hand.
func (r *dataReader) constant() (lua.LValue, error) {
	minus := r.scan.token.Type == '-'
	if minus {
		if err := r.next(); err != nil {
			return nil, err
		}
	}
	value, ok := constantToken(r.scan.token)
	number, isNumber := value.(lua.LNumber)
	switch {
	case !ok || minus && !isNumber:
		return nil, r.unexpected("expected a constant" + constantKinds)
	case minus:
		return -number, nil
	}
	return value, nil
}

func constantToken(t ast.Token) (lua.LValue, bool) {
	switch t.Type {
	case parse.TNil:
		return lua.LNil, true
	case parse.TTrue:
		return lua.LTrue, true
	case parse.TFalse:
		return lua.LFalse, true
	case parse.TString:
		return lua.LString(t.Str), true
	case parse.TNumber:
		f, ok := parseNumber(t.Str)
		return lua.LNumber(f), ok
	}
	return nil, false
}
