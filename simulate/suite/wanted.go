package suite

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"sesame/daemon/transcript"
	"sesame/scripting/source"
	"sesame/scripting/spec"
)

// A wanted is one entry of opens, allows or another key of a step: what it stands for must happen
// that many times.
type wanted struct {
	place source.Place
	kind  kind
	times int
	like  happening    // its empty fields match anything
	from  netip.Prefix // the sources that match; invalid: all
}

// wantedOf returns what a step wants, in the order in which it is written within each key.
func wantedOf(s *spec.Step) []wanted {
	var all []wanted
	for _, e := range s.Strict {
		all = append(all, wanted{e.Place, kind(e.Event), max(e.Times, 1), happening{
			kind: kind(e.Event), door: e.Door, reason: e.Reason, condition: e.Condition, detail: e.Detail, command: e.Command,
		}, e.Source})
	}
	for _, a := range s.Allows {
		all = append(all, wanted{a.Place, allows, 1, happening{kind: allows, port: a.Port, ttl: a.TTL}, a.Source})
	}
	for _, r := range s.Runs {
		all = append(all, wanted{r.Place, runs, 1, happening{kind: runs, command: r.Command, undo: r.Undo, argv: r.Argv}, netip.Prefix{}})
	}
	for _, l := range s.Logs {
		all = append(all, wanted{l.Place, logs, 1, happening{kind: logs, detail: l.Text}, netip.Prefix{}})
	}
	return all
}

// matches reports whether a happening is one that is wanted.
func (w *wanted) matches(h *happening) bool {
	like := &w.like
	return w.kind == h.kind && within(w.from, h.source) && like.undo == h.undo &&
		same(like.door, h.door) && same(like.reason, h.reason) && same(like.condition, h.condition) && same(like.command, h.command) &&
		strings.Contains(h.detail, like.detail) && (like.argv == nil || slices.Equal(like.argv, h.argv)) &&
		(like.port.Number == 0 || like.port == h.port) && (like.ttl == 0 || like.ttl == h.ttl)
}

// resembles reports whether a happening is what the entry names first, with other details. A line
// of the log has no details.
func (w *wanted) resembles(h happening) bool {
	return w.kind == h.kind && w.kind != logs && same(w.like.door, h.door) && same(w.like.command, h.command) &&
		(w.like.port.Number == 0 || w.like.port == h.port)
}

func same(like, is string) bool { return like == "" || like == is }

// within reports whether all addresses of a network are of another, which is invalid when any may.
func within(of, network netip.Prefix) bool {
	return !of.IsValid() || network.IsValid() && of.Bits() <= network.Bits() && of.Contains(network.Addr())
}

// String spells it as a test does.
func (w *wanted) String() string { return keys[w.kind] + " = " + w.text() }

// text spells what stands behind its key.
func (w *wanted) text() string {
	var words words
	like := &w.like
	// All others name a door first.
	//exhaustive:ignore
	switch w.kind {
	case logs:
		return spec.Quote(like.detail)
	case runs, kind(spec.Fails):
		words.alone(like.command)
		words.text("door", like.door)
	default:
		words.alone(like.door)
	}
	if like.undo {
		words.add("undo", "true")
	}
	if like.argv != nil {
		words.add("argv", quoteAll(like.argv))
	}
	if like.port.Number != 0 {
		words.text("port", like.port.String())
	}
	words.text("source", addressText(w.from))
	if like.ttl != 0 {
		words.text("ttl", transcript.Duration(like.ttl))
	}
	words.text("reason", like.reason)
	words.text("condition", like.condition)
	words.text("detail", like.detail)
	if w.times > 1 {
		words.add("times", strconv.Itoa(w.times))
	}
	return words.String()
}
