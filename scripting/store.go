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
			Example: `attempt.store:get("opens")`, method: (*object).storeGet},
		{Name: "set", Type: "(key, value, ttl)", Doc: "Stores a value, for ever or until ttl is over. With nil it removes the value.",
			Example: `attempt.store:set("name", "ana", "30d")`, method: (*object).storeSet},
		{Name: "incr", Type: "(key, by, ttl)", Doc: "Adds to a number and returns the sum. Without by it adds 1. Each call sets the ttl anew; without ttl the sum is stored for ever.",
			Example: `attempt.store:incr("opens", 1, "30d")`, method: (*object).storeIncr},
		{Name: "once", Type: "(key, ttl)", Doc: "Returns true the first time, and false until ttl is over.",
			Example: `sesame.store:once(nonce, "3m")`, method: (*object).storeOnce},
	}}
}

// sharedStoreMember is the store of a script.
func sharedStoreMember() Member {
	return Member{Name: "store", Type: "store", Doc: "The values of this script that all sources share, for functions.",
		field: func(o *object) lua.LValue { return o.run.store(false) }}
}

// sourceStoreMember is the store of a source.
func sourceStoreMember() Member {
	return Member{Name: "store", Type: "store", Doc: "The values of this source, for this script.",
		field: func(o *object) lua.LValue { return o.run.store(true) }}
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
	return toLua(r.call.Store.Get(r.script.source.Path, source, key.key, r.call.Time))
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
	key, _ := o.argument(L, 2, "the key").text()
	if len(key) < 1 || len(key) > maxKey {
		L.RaiseError("the key: expected 1 to %d bytes, got %d", maxKey, len(key))
	}
	return storeKey{o.perSource, strings.Clone(key)}
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
	o.put(L, key, toGo(storable(L, L.Get(3), "set")), o.ttl(L, 4))
	return 0
}

func (o *object) storeIncr(L *lua.LState) int {
	key, by := o.key(L), lua.LNumber(1)
	switch v := L.Get(3).(type) {
	case lua.LNumber:
		by = v
	case *lua.LNilType:
	default:
		L.RaiseError("incr: expected a number to add, got %s", describe(v))
	}
	old, ok := o.get(key).(lua.LNumber)
	if v := o.get(key); !ok && v != lua.LNil {
		L.RaiseError("incr: %q holds %s: expected a number", key.key, describe(v))
	}
	sum := storable(L, old+by, "incr")
	o.put(L, key, toGo(sum), o.ttl(L, 4))
	L.Push(sum)
	return 1
}

func (o *object) storeOnce(L *lua.LState) int {
	key, ttl := o.key(L), o.ttl(L, 3)
	if ttl == 0 {
		L.RaiseError(`once: expected for how long to remember, such as "3m"`)
	}
	first := o.get(key) == lua.LNil
	if first {
		o.put(L, key, true, ttl)
	}
	L.Push(lua.LBool(first))
	return 1
}

// storable refuses values that cannot be stored, in memory and in the journal:
// tables, functions, and numbers that JSON does not have.
func storable(L *lua.LState, v lua.LValue, what string) lua.LValue {
	switch v := v.(type) {
	case lua.LString:
		if len(v) > maxText {
			L.RaiseError("%s: a string has at most %d bytes, got %d", what, maxText, len(v))
		}
	case lua.LNumber:
		if math.IsNaN(float64(v)) || math.IsInf(float64(v), 0) {
			L.RaiseError("%s: %s is not a number that can be stored", what, numberText(v))
		}
	case lua.LBool, *lua.LNilType:
	default:
		L.RaiseError("%s: expected a string, a number, a boolean or nil, got %s", what, describe(v))
	}
	return v
}
