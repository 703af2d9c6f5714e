package scripting_test

import (
	"fmt"
	"strings"
	"testing"

	"sesame/daemon/engine"
)

// fullCommand is a command whose arguments are as long as they may be, and filled they are several
// times that.
const fullCommand = `
local long = {}
for i = 1, 64 do long[i] = i == 1 and "/bin/true" or ("{source}"):rep(510) end
local full = sesame.command(long)
`

// manySites is text with that many places that may give access to 1,024 ports each.
func manySites(n int) string {
	var ports []string
	for i := range 1024 {
		ports = append(ports, fmt.Sprint(i+1))
	}
	site := "  if attempt.payload == 'x' then attempt:allow { port = { " + strings.Join(ports, ", ") + " } } end\n"
	return strings.Repeat(site, n)
}

// opening is a door whose on_open has this body, with the list all of 1,024 ports at hand.
func opening(before, body string) string {
	return before + `
local all = {}
for i = 1, 1024 do all[i] = "tcp/" .. i end
sesame.door "ssh" { sequence = { 1, 2 }, guards = 22, on_open = function(attempt)
` + body + `
end }`
}

// done counts the ports that an opening gave, and the bytes of the arguments that it ran.
func (w *world) done() (ports, bytes int) {
	for _, event := range w.got {
		// Nothing else has ports or arguments.
		//exhaustive:ignore
		switch event.Effect {
		case engine.EffectAllow:
			ports++
		case engine.EffectExec:
			for _, argument := range event.Argv {
				bytes += len(argument)
			}
		}
	}
	return ports, bytes
}

func TestACallPaysForWhatItFills(t *testing.T) {
	const longest = 63 * 510 * len("203.0.113.9")
	for _, test := range []struct {
		name, text   string
		ports, bytes int
		refused      bool // the call uses up what it may
	}{
		{"one long command", opening(fullCommand, `attempt:exec(full)`), 0, longest + len("/bin/true"), false},
		{"many long commands", opening(fullCommand, `for i = 1, 256 do attempt:exec(full) end`), 0, 0, true},
		{"many long commands, their errors caught", opening(fullCommand, `for i = 1, 256 do pcall(attempt.exec, attempt, full) end`), 0, 0, true},
		{"a long undo", opening(strings.Replace(fullCommand, "local full", `long.undo = { table.unpack(long) } local full`, 1), `for i = 1, 2 do attempt:exec(full) end`), 0, 0, true},
		{"short commands", opening(`local ban = sesame.command { "/bin/true", "{source}" }`, `for i = 1, 200 do attempt:exec(ban) end`), 0, 200 * len("/bin/true203.0.113.9"), false},
		{"all ports once, beside many sites", opening("", manySites(12)+`attempt:allow { port = all }`), 1024, 0, false},
		{"all ports again and again", opening("", manySites(12)+`for i = 1, 256 do attempt:allow { port = all } end`), 0, 0, true},
		{"all ports, their errors caught", opening("", `for i = 1, 256 do pcall(attempt.allow, attempt, { port = all }) end`), 0, 0, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := theScript(t, test.text)
			w.knock("203.0.113.9", "tcp/1", "tcp/2")
			if ports, bytes := w.done(); ports != test.ports || bytes != test.bytes {
				t.Errorf("it gave %d ports and filled %d bytes: want %d and %d", ports, bytes, test.ports, test.bytes)
			}
			refused := false
			for _, event := range w.got {
				if event.Kind == engine.EventError {
					t.Log(event.Detail)
					refused = strings.Contains(event.Detail, "the function takes more")
				}
			}
			if refused != test.refused {
				t.Errorf("the call used up what it may: %t", refused)
			}
		})
	}
}

// In a recording of an older version an allow and a command had no price. It is decided as it was.
func TestAnOlderRecordingPaysNothing(t *testing.T) {
	text := opening(fullCommand, `for i = 1, 5 do attempt:exec(full) attempt:allow { port = all } end`)
	for _, older := range []bool{false, true} {
		w := theScript(t, text)
		state := w.e.State()
		if !state.Priced {
			t.Error("a new engine has no prices")
		}
		state.Priced = !older
		var err error
		if w.e, err = engine.Resume(engine.Config{}, state, w.set.Engine); err != nil {
			t.Fatal(err)
		}
		if again := w.e.State(); again.Priced == older {
			t.Errorf("older %t: the state says that prices are %t", older, again.Priced)
		}
		w.knock("203.0.113.9", "tcp/1", "tcp/2")
		if opened := w.e.Counts().Opens == 1; opened != older {
			t.Errorf("older %t: it opened: %t", older, opened)
		}
	}
}
