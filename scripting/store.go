package scripting

import (
	"math"
	"net/netip"
	"strings"
	"time"

	"github.com/yuin/gopher-lua"

	"sesame/daemon/engine"
)

func storeObject() Object {
	return Object{"store", "Values that last: numbers, booleans and strings of up to 1 KiB, under keys of up to 256 bytes.", []Member{
		{Name: "get", Type: "(key)", Doc: "Returns the value of a key, or nil.",
			Example: `attempt.store:get("opens")`, Returns: "sesame.value?", method: (*object).storeGet, arguments: []argument{{"the key", storeKeyText, 0}}},
		{Name: "set", Type: "(key, value, ttl)", Doc: "Stores a value, for ever or until ttl is over. With nil it removes the value.",
			Example: `attempt.store:set("name", "ana", "30d")`, method: (*object).storeSet, acts: true,
			arguments: []argument{{"the key", storeKeyText, 0}, {"set", storableValue, maybe}, {"ttl", duration, maybe}}},
		{Name: "incr", Type: "(key, by, ttl)", Doc: "Adds to a number and returns the sum. Without by it adds 1. Each call sets the ttl anew; without ttl the sum is stored for ever.",
			Example: `attempt.store:incr("opens", 1, "30d")`, Returns: "number", method: (*object).storeIncr, acts: true,
			arguments: []argument{{"the key", storeKeyText, 0}, {"incr", addend, maybe}, {"ttl", duration, maybe}}},
		{Name: "once", Type: "(key, ttl)", Doc: "Returns true the first time, and false until ttl is over.",
			Example: `sesame.store:once(nonce, "3m")`, Returns: "boolean", method: (*object).storeOnce,
			arguments: []argument{{"the key", storeKeyText, 0}, {"once", period, 0}}},
	}}
}

// sharedStoreMember is the store of a script.
func sharedStoreMember() Member {
	return Member{Name: "store", Type: "store", Doc: "The values of this script that all sources share, for functions.",
		holds: "store", field: func(o *object) lua.LValue { return o.run.store(false) }}
}

// sourceStoreMember is the store of a source.
func sourceStoreMember() Member {
	return Member{Name: "store", Type: "store", Doc: "The values of this source, for this script.",
		holds: "store", field: func(o *object) lua.LValue { return o.run.store(true) }}
}

// store returns the store of the source, or that of the script. Both are made
// once for a run.
func (r *run) store(perSource bool) lua.LValue {
	i := 0
	if perSource {
		i = 1
		if !r.call.Source.IsValid() {
			r.script.state.Current().RaiseError("there is no source at hand: use sesame.store")
		}
	}
	if r.stores[i] == nil {
		r.stores[i] = r.script.userdata(r.script.state.L(), &object{kind: "store", run: r, perSource: perSource})
	}
	return r.stores[i]
}

// get returns the value that this run stored, else the one that the engine has.
// nil: there is none.
func (o *object) get(key storeKey) lua.LValue {
	r := o.run
	if v, ok := r.written[key]; ok {
		return toLua(v)
	}
	source := netip.Addr{}
	if key.perSource {
		source = r.call.Source
	}
	return toLua(r.call.Store.Get(r.script.owner, source, key.key, r.call.Time))
}

// put requests that the engine stores a value. The engine does so when the run has
// succeeded; until then, get finds the value in the run.
func (o *object) put(L *lua.LState, key storeKey, v any, ttl time.Duration) {
	r := o.run
	put := engine.Put{PerSource: key.perSource, Key: key.key, Value: v}
	if ttl > 0 {
		put.Until = r.call.Time.Add(ttl)
	}
	r.add(L, put)
	if r.written == nil {
		r.written = map[storeKey]any{}
	}
	r.written[key] = v
}

// key reads the key, which is the first argument of all methods of a store.
func (o *object) key(L *lua.LState) storeKey {
	key, _ := o.argument(L, 2, "the key").storeKey()
	return storeKey{o.perSource, strings.Clone(key)}
}

// key reads the key of a stored value.
func (v value) storeKey() (string, bool) {
	key, ok := v.text()
	if ok && (len(key) < 1 || len(key) > maxKey) {
		v.fail("expected 1 to %d bytes, got %d", maxKey, len(key))
		ok = false
	}
	return key, ok
}

// ttl reads how long a value is stored. Zero: for ever.
func (o *object) ttl(L *lua.LState, i int) time.Duration {
	if L.Get(i) == lua.LNil {
		return 0
	}
	ttl, _ := o.argument(L, i, "ttl").duration()
	return ttl
}

func (o *object) storeGet(L *lua.LState) int {
	L.Push(o.get(o.key(L)))
	return 1
}

func (o *object) storeSet(L *lua.LState) int {
	key := o.key(L)
	o.put(L, key, toGo(o.argument(L, 3, "set").storable()), o.ttl(L, 4))
	return 0
}

func (o *object) storeIncr(L *lua.LState) int {
	key, by := o.key(L), lua.LNumber(1)
	if given := o.argument(L, 3, "incr"); given.lua != lua.LNil {
		by, _ = as[lua.LNumber](given, "a number to add")
	}
	old, ok := o.get(key).(lua.LNumber)
	if v := o.get(key); !ok && v != lua.LNil {
		L.RaiseError("incr: %q holds %s: expected a number", key.key, describe(v))
	}
	v := o.argument(L, 3, "incr")
	v.lua = old + by
	sum := v.storable()
	o.put(L, key, toGo(sum), o.ttl(L, 4))
	L.Push(sum)
	return 1
}

func (o *object) storeOnce(L *lua.LState) int {
	key := o.key(L)
	ttl, _ := o.argument(L, 3, "once").period()
	first := o.get(key) == lua.LNil
	if first {
		o.put(L, key, true, ttl)
	}
	L.Push(lua.LBool(first))
	return 1
}

// period reads for how long a key is remembered.
func (v value) period() (time.Duration, bool) {
	if v.lua == lua.LNil {
		v.fail(`expected for how long to remember, such as "3m"`)
		return 0, false
	}
	return v.duration()
}

// storable refuses values that cannot be stored, in memory and in the journal:
// tables, functions, and numbers that JSON does not have.
func (v value) storable() lua.LValue {
	switch given := v.lua.(type) {
	case lua.LString:
		if len(given) > maxText {
			v.fail("a string has at most %d bytes, got %d", maxText, len(given))
		}
	case lua.LNumber:
		if math.IsNaN(float64(given)) || math.IsInf(float64(given), 0) {
			v.fail("%s is not a number that can be stored", numberText(given))
		}
	case lua.LBool, *lua.LNilType:
	default:
		v.expected("a string, a number, a boolean or nil")
	}
	return v.lua
}
