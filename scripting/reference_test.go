package scripting

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const referencePath = "../docs/scripts.md"

// TestReference holds docs/scripts.md to the table that scripts are checked
// against. Run with -update to write it anew.
func TestReference(t *testing.T) {
	want := reference(API())
	if *update {
		if err := os.WriteFile(referencePath, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(referencePath)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("%s is not what the API says; run go test ./scripting -update (-want +got):\n%s", referencePath, diff)
	}
}

const introduction = `# What scripts can say

A script is a Lua file in the directory of the scripts. Its top level runs once and registers; what it registers reacts from then on. There is
one table, ` + "`sesame`" + `, and what the functions that react are given. This page is made from the table that Sesame checks scripts against.

- Durations are strings: ` + "`\"90s\"`, `\"1m30s\"`, `\"2h\"`, `\"7d\"`" + `. Ports are ` + "`\"tcp/22\"`, `\"udp/53\"`" + ` or a number, which means TCP.
- An unknown option is an error, with the nearest known one.
- Functions may read the variables around them and change none: what shall last stands in a store. Tables made at the top level are read-only afterwards.
- Everything a function asks for happens after it has returned: all of it, or nothing when it fails.
- ` + "`require \"name\"`" + ` loads ` + "`lib/name.lua`" + ` beside the scripts, while loading.
- Of Lua's libraries there are the basic functions, ` + "`string`, `table` and `math`" + `, without what could read files, run programs or load code. ` + "`payload:unpack(\"<I4\", position)`" + ` reads binary data with the formats of Lua 5.3; the data come first.
- ` + "`print`" + ` writes what ` + "`log`" + ` does. ` + "`math.random`" + ` is there in functions, and gives the same in every replay.
- A function for ` + "`when`" + ` decides and does nothing else: it may read a store, but neither write it, log, print nor act.
- A door allows and closes what the calls of ` + "`allow` and `close`" + ` say that stand in it, or outside of doors; what is hidden from a reader is refused.
- Under the policy ` + "`knockd`" + ` the doors of a file are a group, matched as knockd does it. A packet counts when it has the port, the destination and the flags of some door of the group.
  It advances or ends all attempts of its source in the group, and begins others only when there is none. ` + "`step_timeout`, `on_wrong`, `duplicates`, `strict`, `except`" + ` and flags of single knocks do not
  exist there. ` + "`within = \"0s\"`" + ` does, which no second knock meets, and so does port 0.
- A knockd.conf that a script reads is a group by itself, whatever the policy of the script. It and files of one-time sequences may lie anywhere: a relative path begins at the directory of the scripts,
  or at that of the knockd.conf that it stands in. They are read again when they change. All together they are at most 100 files of 1 MiB.
- A function has 200,000 instructions and 4 MiB, the top level of a file 5,000,000 and 64 MiB. A string has at most 64 KiB, a reply 256 operations.
- All scripts together keep 65,536 stored values and as many delays. When a store is full, what would store more is refused: give values a ttl.

` + "```lua" + `
-- lib/friends.lua
return { ["203.0.113.9"] = "ana" }
` + "```" + `
` + "```lua" + `
-- remind.lua: a log line, ten minutes after a door opened
local friends = require "friends"
local ttl     = sesame.option "ttl" { type = "duration", default = "30m", doc = "How long the port stays open." }

sesame.handler("remind", function(timer)
  timer:log(timer.value, "has been in for ten minutes")
end)

sesame.door "web" {
  sequence = { "tcp/4519", "udp/8204", "tcp/3127", "udp/6990" },
  guards   = "tcp/443",
  ttl      = ttl,
  on_open  = function(attempt)
    attempt:allow()
    attempt:after("10m", "remind", friends[attempt.source] or "somebody")
  end,
}
` + "```" + `
`

func reference(api []Object) string {
	var b strings.Builder
	b.WriteString(introduction)
	for _, object := range api {
		fmt.Fprintf(&b, "\n## %s\n%s\n\n", object.Name, object.Doc)
		for _, m := range object.Members {
			entry(&b, object.Name, m)
		}
	}
	return b.String()
}

func entry(b *strings.Builder, object string, m Member) {
	if !m.Callable() {
		fmt.Fprintf(b, "- **%s.%s** (%s): %s\n", object, m.Name, m.Type, m.Doc)
		return
	}
	dot := "."
	if object != "sesame" {
		dot = ":"
	}
	space := " "
	if strings.HasPrefix(m.Type, "(") {
		space = ""
	}
	fmt.Fprintf(b, "- **%s%s%s**%s`%s`: %s\n  `%s`\n", object, dot, m.Name, space, m.Type, m.Doc, m.Example)
	for _, o := range m.Options {
		fmt.Fprintf(b, "  - `%s` (%s", o.Name, o.Type)
		if o.Default != "" {
			fmt.Fprintf(b, ", %s", defaultText(o.Default))
		}
		fmt.Fprintf(b, "): %s\n", o.Doc)
	}
}

// defaultText says what holds when an option is left out.
func defaultText(text string) string {
	if text == Required {
		return text
	}
	return "default " + text
}
