// Package hostiletest turns what an attacker may write into scripts, for tests of what they cost.
//
// A careless author writes the same by mistake. loading.go has scripts that do their harm while
// they load, and calls.go has those that do it when somebody knocks.
package hostiletest

import "strings"

// A Script is one file that does as much harm as it can.
type Script struct {
	Name string
	Text string
	// Knock is the port at which the script waits for one packet, such as "udp/20007", in order to
	// do its harm in a function; "": it does its harm while it loads.
	Knock string
	// Crowd is how many sources of one /64 must knock, all at once, to do the harm; 0: a few of
	// anywhere do.
	Crowd int
	// Reported means that somebody found it to be costly once. The others are variants.
	Reported bool
}

// All returns all scripts, always in the same order.
func All() []Script { return append(loading(), calls()...) }

// Reported returns those that were found to be costly once.
func Reported() (found []Script) {
	for _, s := range All() {
		if s.Reported {
			found = append(found, s)
		}
	}
	return found
}

// key is a long string, and chain a table that looks for a missing key in 99 others.
const (
	key   = `local key = ("k"):rep(65535)` + "\n"
	chain = key + `local chain = {[key] = 1} for i = 1, 99 do chain = setmetatable({}, {__index = chain}) end` + "\n"
)

func repeat(text string, times int) string { return strings.Repeat(text, times) }
