package scripting_test

import (
	"strings"
	"testing"
	"unicode"

	"sesame/scripting"
)

// TestTheAPIIsDocumented holds that anyone who meets a name finds what it is.
func TestTheAPIIsDocumented(t *testing.T) {
	seen := map[string]bool{}
	for _, object := range append(scripting.API(), scripting.TestAPI()...) {
		sentence(t, object.Name, object.Doc)
		for _, member := range object.Members {
			name := object.Name + "." + member.Name
			if seen[name] {
				t.Errorf("%s stands twice", name)
			}
			seen[name] = true
			sentence(t, name, member.Doc)
			if member.Type == "" {
				t.Errorf("%s has no type", name)
			}
			if missing := member.Undeclared(); missing != "" {
				t.Errorf("%s: %s", name, missing)
			}
			if n := member.Implementations(); n != 1 {
				t.Errorf("%s has %d of function, method and field: expected one", name, n)
			}
			if member.Callable() != (member.Example != "") {
				t.Errorf("%s: a function has an example, and a field has none", name)
			}
			for _, option := range member.Options {
				sentence(t, name+" "+option.Name, option.Doc)
				if option.Name == "" || option.Type == "" {
					t.Errorf("%s: option %q has no name or no type", name, option.Name)
				}
			}
		}
	}
	for _, table := range scripting.TestTables() {
		sentence(t, table.Name, table.Doc)
		for _, option := range table.Options {
			sentence(t, table.Name+" "+option.Name, option.Doc)
			if option.Name == "" || option.Type == "" {
				t.Errorf("%s: option %q has no name or no type", table.Name, option.Name)
			}
		}
	}
	if !seen["sesame.door"] || !seen["attempt.allow"] || seen["grant.allow"] {
		t.Error("expected sesame.door and attempt.allow, and no grant.allow")
	}
}

func sentence(t *testing.T, name, doc string) {
	t.Helper()
	if doc == "" || !strings.HasSuffix(doc, ".") || !unicode.IsUpper([]rune(doc)[0]) {
		t.Errorf("%s has the documentation %q: expected a sentence", name, doc)
	}
}

// TestEveryExampleWorks loads and runs the examples of the documentation.
func TestEveryExampleWorks(t *testing.T) {
	const declared = `
local hours = sesame.window { days = "mon-fri", from = "08:00", to = "19:00", tz = "UTC" }
local office = sesame.networks { "203.0.113.0/24" }
local audit = sesame.command { "/bin/audit", choices = { level = { "high" } } }
local nonce = "n"
`
	const reacting = `
sesame.handler("remind", function(timer) TIMER end)
sesame.door "ssh" { sequence = { 1, 2 }, guards = 22,
  on_open = function(attempt) attempt:allow() attempt:after("1s", "remind") ATTEMPT end,
  on_close = function(grant) GRANT end }
sesame.listen "beacon" { on = "udp/1", on_knock = function(knock) KNOCK end }
`
	const others = `
sesame.door "vpn" { sequence = { 3, 4 }, guards = "udp/51820" }
sesame.door "bob" { sequence = { 5, 6 }, guards = 22 }
`
	for _, object := range scripting.API() {
		for _, member := range object.Members {
			if member.Example == "" {
				continue
			}
			t.Run(object.Name+"."+member.Name, func(t *testing.T) {
				text := member.Example + "\n" + declared
				if member.Name != "policy" {
					text = declared + member.Example
				}
				if object.Name != "sesame" {
					text = declared + react(reacting, object.Name, member.Example)
				}
				w := theScripts(t, map[string]string{"example.lua": text, "others.lua": others, "/etc/knockd.conf": "[web]\nsequence = 7000,8000"}, scripting.Options{})
				w.knock(alice, "tcp/1", "tcp/2", "udp/1", "tcp/7421", "udp/9133", "tcp/2904", "udp/62201")
				w.later(60e9)
				if got := all(w); strings.Contains(got, "error") {
					t.Errorf("the example fails:\n%s", got)
				}
			})
		}
	}
}

// react puts an example where its object is at hand.
func react(text, object, example string) string {
	if object == "store" {
		object = "attempt"
	}
	for _, name := range []string{"attempt", "knock", "grant", "timer"} {
		line := ""
		if name == object {
			line = example
		}
		text = strings.ReplaceAll(text, strings.ToUpper(name), line)
	}
	return text
}
