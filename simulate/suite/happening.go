package suite

import (
	"net/netip"
	"strings"
	"time"

	"sesame/daemon/engine"
	"sesame/daemon/packet"
	"sesame/daemon/transcript"
	"sesame/scripting/spec"
)

// A kind is a key of a step that says what must come.
type kind uint8

// The kinds. The first are those of [spec.Event].
const (
	allows kind = kind(spec.Closes) + 1 + iota
	runs
	logs
	kinds
)

var keys = [kinds]string{
	spec.Opens: "opens", spec.Refuses: "refuses", spec.Misses: "misses", spec.Fails: "fails", spec.Closes: "closes",
	allows: "allows", runs: "runs", logs: "logs",
}

// strict reports whether what was not written fails a test.
func (k kind) strict() bool { return k < allows }

// A happening is an event of the engine as tests name it. Which fields are set depends on its kind.
type happening struct {
	kind      kind
	time      time.Time
	door      string
	source    netip.Prefix
	reason    string
	condition string
	detail    string // of logs: the line
	command   string
	undo      bool
	argv      []string
	port      packet.Port
	ttl       time.Duration
}

// happeningOf returns the happening of an event. False: tests do not name it.
func (t *running) happeningOf(e *engine.Event) (happening, bool) {
	h := happening{time: e.Time, door: e.Door, source: e.Source, reason: string(e.Reason), detail: e.Detail}
	switch e.Kind {
	case engine.EventOpen:
		h.kind = kind(spec.Opens)
	case engine.EventRefuse:
		h.kind, h.condition = kind(spec.Refuses), e.Condition
	case engine.EventMiss:
		h.kind = kind(spec.Misses)
	case engine.EventClose:
		h.kind, h.port = kind(spec.Closes), e.Port
	case engine.EventError:
		h.kind, h.detail = kind(spec.Fails), transcript.Fault(e)
	case engine.EventFailed:
		h.kind, h.command = kind(spec.Fails), t.ran[e.Failed]
	case engine.EventEffect:
		return t.effectOf(h, e)
	case engine.EventStage:
		return h, false
	}
	return h, true
}

func (t *running) effectOf(h happening, e *engine.Event) (happening, bool) {
	// The others need nothing.
	//exhaustive:ignore
	switch e.Effect {
	case engine.EffectAllow:
		h.kind, h.port, h.ttl = allows, e.Port, e.TTL
	case engine.EffectExec, engine.EffectUndo:
		if h.kind, h.argv = runs, e.Argv; e.Argv == nil {
			return h, false // it prolongs the grant of a command that ran before
		}
		h.command, h.undo = t.commandOf(e), e.Effect == engine.EffectUndo
	case engine.EffectLog:
		h.kind = logs
	default:
		return h, false
	}
	return h, true
}

// size returns the bytes of its texts.
func (h *happening) size() int {
	n := len(h.detail)
	for _, argument := range h.argv {
		n += len(argument)
	}
	return n
}

// String spells the happening as a test would, with all that is known of it.
func (h *happening) String() string {
	var w words
	switch {
	case h.kind == logs:
		return "logs = " + spec.Quote(h.detail)
	case h.kind == runs:
		w.alone(h.command)
		if h.undo {
			w.add("undo", "true")
		}
		w.add("argv", quoteAll(h.argv))
		return "runs = " + w.String()
	case h.kind == allows:
		w.text("port", h.port.String())
		w.text("source", addressText(h.source))
		w.text("ttl", transcript.Duration(h.ttl))
		return "allows = " + w.String()
	case h.kind == kind(spec.Fails) && h.command != "":
		w.alone(h.command)
		w.text("door", h.door)
	case h.kind == kind(spec.Fails):
		w.text("door", h.door)
	default:
		w.alone(h.door)
	}
	w.text("source", addressText(h.source))
	w.text("reason", h.reason)
	w.text("condition", h.condition)
	w.text("detail", h.detail)
	return keys[h.kind] + " = " + w.String()
}

// words are the entries of a Lua table.
type words []string

func (w *words) add(key, value string) { *w = append(*w, key+" = "+value) }

// alone adds a text that stands without a key, unless it is empty.
func (w *words) alone(text string) {
	if text != "" {
		*w = append(*w, spec.Quote(text))
	}
}

// text adds a text, unless it is empty.
func (w *words) text(key, text string) {
	if text != "" {
		w.add(key, spec.Quote(text))
	}
}

// String returns the table, or the only entry when that has no key.
func (w words) String() string {
	if len(w) == 1 && strings.HasPrefix(w[0], `"`) {
		return w[0]
	}
	return "{ " + strings.Join(w, ", ") + " }"
}

func quoteAll(texts []string) string {
	quoted := make([]string, len(texts))
	for i, text := range texts {
		quoted[i] = spec.Quote(text)
	}
	return "{ " + strings.Join(quoted, ", ") + " }"
}

// addressText returns a single address without its length; "" for none.
func addressText(p netip.Prefix) string {
	switch {
	case !p.IsValid():
		return ""
	case p.IsSingleIP():
		return p.Addr().String()
	}
	return p.String()
}
