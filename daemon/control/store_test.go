package control

import (
	"encoding/json"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sesame/daemon/engine"
	"sesame/daemon/wire"
)

// storedValues are one of each type, in no order.
func storedValues() []engine.Value {
	return []engine.Value{
		{Script: "spa.lua", Source: tom, Key: "n", Value: math.Inf(-1)},
		{Script: "spa.lua", Key: "x\xff", Value: "\x00\xfe"},
		{Script: "beacon", Key: "used", Value: true, Until: noon},
		{Script: "spa.lua", Source: tom, Key: "half", Value: 0.5},
		{Script: "spa.lua", Source: tom, Key: "empty", Value: ""},
	}
}

func TestPagesOfStoredValues(t *testing.T) {
	const beacon = `{"script":"beacon","key":"used","type":"boolean","value":"true","until":"2026-03-01T12:00:01Z"}`
	for _, test := range []struct {
		name    string
		request StoredRequest
		want    string
	}{
		{"all", StoredRequest{Values: true}, `{"values":[` + beacon + `,` +
			`{"script":"spa.lua","key":["eP8="],"type":"string","value":["AP4="]},` +
			`{"script":"spa.lua","source":"203.0.113.9","key":"empty","type":"string","value":""},` +
			`{"script":"spa.lua","source":"203.0.113.9","key":"half","type":"number","value":"0.5"},` +
			`{"script":"spa.lua","source":"203.0.113.9","key":"n","type":"number","value":"-Inf"}],"count":5}`},
		{"without values", StoredRequest{Limit: 1}, `{"values":[{"script":"beacon","key":"used","type":"boolean","until":"2026-03-01T12:00:01Z"}],"count":5}`},
		{"the second page", StoredRequest{Skip: 3, Limit: 1}, `{"values":[{"script":"spa.lua","source":"203.0.113.9","key":"half","type":"number"}],"count":5}`},
		{"the end", StoredRequest{Skip: 4, Limit: 3}, `{"values":[{"script":"spa.lua","source":"203.0.113.9","key":"n","type":"number"}],"count":5}`},
		{"beyond the end", StoredRequest{Skip: 6, Limit: 3}, `{"values":[],"count":5}`},
	} {
		if err := test.request.check(); err != nil {
			t.Fatal(err)
		}
		page, err := json.Marshal(StoredOf(storedValues(), &test.request, time.Second))
		if diff := cmp.Diff(test.want, string(page)); diff != "" || err != nil {
			t.Errorf("%s, %v (-want +got):\n%s", test.name, err, diff)
		}
	}
}

func TestThousandValuesAreAPage(t *testing.T) {
	many := make([]engine.Value, MaxStored+1)
	for i := range many {
		many[i] = engine.Value{Script: "a", Key: strings.Repeat("k", i), Value: true}
	}
	r := &StoredRequest{}
	if err := r.check(); err != nil {
		t.Fatal(err)
	}
	if page := StoredOf(many, r, 0); len(page.Values) != 1000 || page.Count != 1001 {
		t.Errorf("%d of %d values", len(page.Values), page.Count)
	}
}

func TestStoreOverTheSocket(t *testing.T) {
	w := newWorld(t)
	c, ctx := Dial(w.socket), t.Context()
	page, err := c.Stored(ctx, StoredRequest{Chosen: Chosen{Key: "x\xff"}, Values: true})
	text := wire.Text("\x00\xfe")
	want := Stored{Values: []StoredValue{{Script: "spa.lua", Key: "x\xff", Type: "string", Value: &text}}, Count: 1}
	if diff := cmp.Diff(want, page, cmp.Comparer(func(a, b StoredValue) bool {
		return a.Script == b.Script && a.Source == b.Source && a.Key == b.Key && a.Type == b.Type && *a.Value == *b.Value && a.Until.Equal(b.Until)
	})); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	forgotten, err := c.Forget(ctx, ForgetRequest{Chosen: Chosen{Script: "spa.lua", Source: tom}})
	if err != nil || forgotten != (Forgotten{Count: 3}) {
		t.Errorf("forgotten %+v, %v", forgotten, err)
	}
}

func TestStoreRequestsThatMakeNoSense(t *testing.T) {
	c := newWorld(t).raw(t)
	for _, test := range []struct{ path, body, want string }{
		{"stored", `{"limit":1001}`, "skip 0 and limit 1001: expected numbers from 0, and a limit up to 1000"},
		{"stored", `{"skip":-1}`, "skip -1"},
		{"stored", `{"limit":-1}`, "limit -1"},
		{"stored", `{"source":"203.0.113.9","shared":true}`, "a source, and what all sources share"},
		{"stored", `{"source":"203.0.113.0/24"}`, "unexpected character"},
		{"stored", `{"keys":"x"}`, "unknown field"},
		{"forget", `{}`, "no script: expected"},
		{"forget", `{"all":true}`, "no script: expected"},
		{"forget", `{"script":"a.lua"}`, "neither a key nor a source: to forget all"},
		{"forget", `{"script":"a.lua","all":true,"key":"k"}`, "all values, and some of them"},
		{"forget", `{"script":"a.lua","all":true,"shared":true}`, "all values, and some of them"},
		{"forget", `{"script":"a.lua","all":true,"source":"::1"}`, "all values, and some of them"},
		{"forget", `{"script":"a.lua","source":"203.0.113.9","shared":true}`, "a source, and what all sources share"},
	} {
		if status, body := do(t, c, "POST", "/v1/"+test.path, test.body); status != 400 || !strings.Contains(body, test.want) {
			t.Errorf("%s %s: %d %s, want %s", test.path, test.body, status, body, test.want)
		}
	}
}

// An address is written as the engine writes that of a packet.
func TestAddressesOfStoreRequests(t *testing.T) {
	w := newWorld(t)
	for _, address := range []string{"203.0.113.9", "::ffff:203.0.113.9"} {
		if status, body := do(t, w.raw(t), "POST", "/v1/forget", `{"script":"spa.lua","source":"`+address+`"}`); status != 200 || body != `{"count":3}`+"\n" {
			t.Errorf("%s: %d %s", address, status, body)
		}
	}
}
