package scripting_test

import (
	"testing"
	"time"
)

func TestTheStore(t *testing.T) {
	w := theScript(t, `
sesame.door "ssh" { sequence = { 1, 2 }, on_open = function(a)
  local mine, ours = a.store, sesame.store
  a:log(mine:incr("n"), ours:incr("n", 10), mine:get("n"), mine:get("never"))
  mine:set("word", "open") mine:set("word", nil)
  a:log(mine:get("word"), mine:once("nonce", "1m"), mine:once("nonce", "1m"))
end }`)
	visit := func(source string) { w.knock(source, "tcp/1", "tcp/2") }
	visit(alice)
	w.want("open ssh 203.0.113.9", "log 1 10 1 nil", "log nil true false")
	visit(alice)
	w.want("open ssh 203.0.113.9", "log 2 20 2 nil", "log nil false false")
	t.Log("# another source has its own values, and shares the script's")
	visit(bob)
	w.want("open ssh 2001:db8::7", "log 1 30 1 nil", "log nil true false")
	t.Log("# a nonce is forgotten when its time is over")
	w.later(time.Minute)
	visit(alice)
	w.want("open ssh 203.0.113.9", "log 3 40 3 nil", "log nil true false")
}

func TestNothingIsStoredByAFunctionThatFails(t *testing.T) {
	w := theScript(t, `
sesame.door "ssh" { sequence = { 1, 2 }, on_open = function(a)
  if a.store:incr("n") == 1 and a.family == "ipv4" then a.store:set("late", true) error("stop") end
  a:log(a.store:get("n"), a.store:get("late"))
end }
sesame.door "look" { sequence = { 3, 4 }, on_open = function(a) a:log(a.store:get("n"), a.store:get("late")) end }`)
	w.knock(alice, "tcp/1", "tcp/2", "tcp/3", "tcp/4")
	w.want("error ssh.lua:3: stop", "refuse ssh script_error", "open look 203.0.113.9", "log nil nil")
}

func TestStoresOfTwoScriptsAreTwo(t *testing.T) {
	const text = `sesame.door "NAME" { sequence = { 1, 2 }, on_open = function(a) a:log(sesame.store:incr("n")) end }`
	w := twoScripts(t, text)
	w.knock(alice, "tcp/1", "tcp/2")
	w.want("open a 203.0.113.9", "log 1", "open b 203.0.113.9", "log 1")
}

func TestWhatCannotBeStored(t *testing.T) {
	for line, want := range map[string]string{
		`a.store:set("k", {})`:                              "set: expected a string, a number, a boolean or nil, got a table",
		`a.store:set("k", ("x"):rep(1025))`:                 "set: a string has at most 1024 bytes, got 1025",
		`a.store:set(("x"):rep(257), 1)`:                    "the key: expected 1 to 256 bytes, got 257",
		`a.store:set("", 1)`:                                "the key: expected 1 to 256 bytes, got 0",
		`a.store:set(1, 1)`:                                 "the key: expected a string, got the number 1",
		`a.store:set("k", 0/0)`:                             "set: nan is not a number that can be stored",
		`a.store:set("k", 1, 30)`:                           `ttl: expected a duration in a string, got the number 30: write "30s"`,
		`a.store:set("k", "a") a.store:incr("k")`:           `incr: "k" holds the string "a": expected a number`,
		`a.store:incr("k", "1")`:                            `incr: expected a number to add, got the string "1"`,
		`a.store:incr("k", 1e308) a.store:incr("k", 1e308)`: "incr: inf is not a number that can be stored",
		`a.store:once("k")`:                                 `once: expected for how long to remember, such as "3m"`,
		`a.store.get("k")`:                                  "get was called without its store: write store:get, with a colon",
		`a.store.get(a, "k")`:                               "get is for a store, not for an attempt",
		`a.store.count = 1`:                                 "store is read-only",
	} {
		w := theScript(t, `sesame.door "ssh" { sequence = { 1, 2 }, on_open = function(a) a = a `+line+` end }`)
		w.knock(alice, "tcp/1", "tcp/2")
		w.want("error ssh.lua:1: "+want, "refuse ssh script_error")
	}
}
