package sandbox

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"hash"
	"math"

	lua "github.com/yuin/gopher-lua"
)

// This file makes tables of constants without the compiler and the machine of gopher-lua. A
// constructor that is compiled costs the square of its constants (funcContext.ConstIndex compares
// each with all earlier ones), and has a limit of items. A table that is made here is equal to the
// one that the machine would make, in its order too: constants_test.go compares the two.

// flushItems is how many items of a constructor without a key the machine stores at once, before
// the fields behind them (FieldsPerFlush in compile.go, the reference implementation has the same).
// Which of two fields with the same key stays depends on it.
const flushItems = 50

// A constants is a table of constants with what it costs a State that uses it.
type constants struct {
	table *lua.LTable // not to be changed: the States that run the program share it
	cost  cost
}

// A cost is what a budget is charged.
type cost struct {
	steps, bytes int64
	surcharge    int64 // bytes that older sets do not pay: see [State.Surcharge]
}

func (c cost) without(earlier cost) cost {
	return cost{c.steps - earlier.steps, c.bytes - earlier.bytes, c.surcharge - earlier.surcharge}
}

// What making a table, an item and a field costs in steps, as the compiled constructor does.
const (
	tableSteps = 4
	itemSteps  = 1
	fieldSteps = 2
)

// sharedOfAStep is how many steps of making a module of data make a State that uses it pay one: it
// walks the table once, to make it read-only, and has it in common with others.
const sharedOfAStep = 4

var errNoKey = errors.New("a table cannot have this key")

// A maker makes tables of constants. The tables that are open nest; begin, item, field and end are
// called in the order of the text.
type maker struct {
	budget *Budget // that pays for the work
	cost   cost    // of the tables, as the compiled constructors have it
	open   []*making
}

// A making is a table whose constructor is not at its end.
type making struct {
	table  *lua.LTable  // nil until something is stored
	items  []lua.LValue // that are not stored yet, fewer than flushItems
	stored int          // items before them
	fields int          // with and without a key
}

func (m *maker) begin() { m.open = append(m.open, &making{}) }

func (m *maker) top() *making { return m.open[len(m.open)-1] }

// charge counts work before it is done.
func (m *maker) charge(steps, bytes int64) error {
	m.cost.steps += steps
	m.cost.bytes += bytes
	if !m.budget.charge(steps, bytes) {
		return errors.New(m.budget.message())
	}
	return nil
}

// item adds a value without a key.
func (m *maker) item(value lua.LValue) error {
	t := m.top()
	t.fields++
	if t.items = append(t.items, value); len(t.items) == flushItems {
		t.flush()
	}
	return m.charge(itemSteps, slotBytes)
}

// field adds a value with a key, for which the rules of [State.key] hold. A name, or a string in
// brackets, is a key whose hashing is not charged.
func (m *maker) field(key, value lua.LValue) error {
	t := m.top()
	gap := 0.0
	switch k := key.(type) {
	case lua.LString, lua.LBool:
	case lua.LNumber:
		if gap = float64(k) - float64(t.fields); math.IsNaN(gap) || gap > maxGap {
			return errNoKey
		}
	default:
		return errNoKey
	}
	t.fields++
	steps, bytes := int64(fieldSteps), int64(keyBytes)
	if gap > 0 {
		steps, bytes = steps+int64(gap)/16, int64(gap+1)*slotBytes
	}
	if err := m.charge(steps, bytes); err != nil {
		return err
	}
	t.make(0, 1)
	t.table.RawSet(key, value)
	return nil
}

// end closes the innermost table and returns it. The array does not end in nil: see [State.trim].
func (m *maker) end() (*lua.LTable, error) {
	t := m.top()
	m.open = m.open[:len(m.open)-1]
	t.make(len(t.items), 0)
	t.flush()
	n := arrayLen(t.table)
	for last := n; last > 0 && t.table.RawGetInt(last) == lua.LNil; last-- {
		t.table.Remove(last)
		m.cost.steps++
	}
	if all, _ := keyCounts(t.table); all > 0 {
		m.cost.surcharge += fewKeysBytes
		m.budget.charge(0, fewKeysBytes)
	}
	return t.table, m.charge(tableSteps+int64(n)/16, tableBytes)
}

// make allocates the table when something is stored for the first time. A table that gets its first
// key without room for keys has room for 32, which a list of small tables cannot afford.
func (t *making) make(items, keys int) {
	if t.table == nil {
		t.table = (*lua.LState)(nil).CreateTable(items, keys) // the method uses no state
	}
}

func (t *making) flush() {
	t.make(4*flushItems, 0)
	for i, value := range t.items {
		t.table.RawSetInt(t.stored+i+1, value)
	}
	t.stored += len(t.items)
	t.items = t.items[:0]
}

// name identifies the content of a table of constants, with the order of its keys. The code that
// uses a table names it so: then the sum of the code tells whether the table changed (sum.go).
func name(table *lua.LTable) string {
	h := sha256.New()
	writeTable(h, table)
	return string(h.Sum(nil))
}

// writeTable writes what a script can see of a table. Nested tables are at most maxNesting deep.
func writeTable(h hash.Hash, table *lua.LTable) {
	write := func(v lua.LValue) {
		if inner, ok := v.(*lua.LTable); ok {
			writeTable(h, inner)
			return
		}
		text := constantText(v)
		h.Write(binary.LittleEndian.AppendUint64([]byte{byte(v.Type())}, uint64(len(text))))
		h.Write([]byte(text))
	}
	h.Write([]byte("{"))
	for k, v := table.Next(lua.LNil); k != lua.LNil; k, v = table.Next(k) {
		write(k)
		write(v)
	}
	h.Write([]byte("}"))
}

// constants is the hidden function that returns a table of constants of a program, by its name: a
// copy, which the script may change. When the program is a module of data it is the table itself,
// read-only.
func (s *State) constants(p *Program, l *lua.LState) int {
	c := p.constants[l.CheckString(1)]
	if p.IsData() {
		s.charge(l, c.cost.steps/sharedOfAStep, 0)
		s.freeze(fromModule, c.table)
		l.Push(c.table)
		return 1
	}
	s.charge(l, c.cost.steps, c.cost.bytes)
	s.surcharge(l, 0, c.cost.surcharge)
	l.Push(copied(c.table))
	return 1
}

// copied returns a copy of a table of constants, with copies of the tables in it: at most
// maxNesting levels. None of its keys lost its value, so the order of the keys is that of the
// constructor.
func copied(table *lua.LTable) *lua.LTable {
	n := arrayLen(table)
	all, _ := keyCounts(table)
	made := (*lua.LState)(nil).CreateTable(n, all)
	value := func(v lua.LValue) lua.LValue {
		if inner, ok := v.(*lua.LTable); ok {
			return copied(inner)
		}
		return v
	}
	for i := 1; i <= n; i++ {
		made.RawSetInt(i, value(table.RawGetInt(i)))
	}
	last := lua.LNil
	if n > 0 {
		last = lua.LNumber(n)
	}
	for k, v := table.Next(last); k != lua.LNil; k, v = table.Next(k) {
		made.RawSet(k, value(v))
	}
	return made
}
