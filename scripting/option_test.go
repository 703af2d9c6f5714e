package scripting_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sesame/scripting"
	"sesame/scripting/source/sourcetest"
)

func TestSettingsThatAreLists(t *testing.T) {
	files := map[string]string{"ssh.lua": `
local knocks = sesame.option "knocks" { type = "ports", default = { 1, "udp/2" } }
local guards = sesame.option "guards" { type = "ports" }
local people = sesame.option "people" { type = "strings", default = {} }
local from   = sesame.option "from"   { type = "countries", default = { "ES" } }
local zone   = sesame.option "zone"   { type = "zone", default = "UTC" }
local level  = sesame.option "level"  { type = "number", choices = { 1, 2 }, default = 1 }
sesame.door "ssh" { sequence = knocks, guards = guards, when = sesame.window { days = "mon-sun", to = "23:00", tz = zone },
  on_open = function(a)
    a:log(#people, table.concat(people, "+"), from[1], from[2], level)
    local changed, message = pcall(table.insert, people, "eve")
    a:log(changed, message:match "cannot change this table")
    a:allow()
  end }`}
	given := map[string]string{"guards": "22, tcp/443", "people": "ana,bob", "from": "PT,FR", "level": "2"}
	w := theScripts(t, files, scripting.Options{Values: given, Lists: map[string]bool{"guards": true}})
	for range 2 {
		w.knock(alice, "tcp/1", "udp/2")
		w.want("open ssh 203.0.113.9", "log 2 ana+bob PT FR 2", "log false cannot change this table",
			"allow 203.0.113.9/32 tcp/22 30s", "allow 203.0.113.9/32 tcp/443 30s")
	}
	var values []any
	for _, o := range w.set.Options {
		values = append(values, o.Value)
	}
	if diff := cmp.Diff([]any{"tcp/1,udp/2", "tcp/22,tcp/443", "ana,bob", "PT,FR", "UTC", 2.0}, values); diff != "" {
		t.Errorf("values in reports (-want +got):\n%s", diff)
	}
}

// A file may give a list where the script takes one value.
func TestAListForOneSetting(t *testing.T) {
	files := map[string]string{"a.lua": `local site = sesame.option "site" { type = "string" }`}
	_, err := scripting.Load(sourcetest.Files(files), scripting.Options{
		Values: map[string]string{"site": "a,b"}, Lists: map[string]bool{"site": true}, Given: map[string]string{"site": "sesame.toml:3"}})
	const want = `a.lua:1:14: sesame.option "site": sesame.toml:3: site: it takes one value, not a list: write site = "TEXT"`
	if err == nil || err.Error() != want {
		t.Errorf("got\n%v\nwant\n%s", err, want)
	}
}

func TestCountriesAreAnOption(t *testing.T) {
	files := map[string]string{"ssh.lua": `
local from = sesame.country(sesame.option "countries" { type = "countries", default = { "ES" } })
sesame.door "ssh" { sequence = { 1, 2 }, guards = 22, when = from }`}
	for value, want := range map[string]string{"PT,FR": "from: PT, FR", "XK": "from: XK"} {
		w := theScripts(t, files, scripting.Options{Values: map[string]string{"countries": value}})
		if got := w.set.Engine.Doors[0].When[0].String(); got != want {
			t.Errorf("%s makes the condition %q, want %q", value, got, want)
		}
	}
	_, err := scripting.Load(sourcetest.Files(files), scripting.Options{Values: map[string]string{"countries": "ES,UK"}})
	if err == nil || !strings.Contains(err.Error(), `--set countries=ES,UK:`) || !strings.Contains(err.Error(), `"GB"`) {
		t.Errorf("got %v", err)
	}
}

// A loop that declares options is bounded.
func TestOptionsAreBounded(t *testing.T) {
	_, err := scripting.Load(sourcetest.Files(map[string]string{"a.lua": `
for i = 1, 1e6 do sesame.option("o" .. i) { type = "ports", default = { 1, 2, 3 } } end`}), scripting.Options{})
	if err == nil || !strings.Contains(err.Error(), "more than 3500000 steps") {
		t.Errorf("got %v", err)
	}
	many := strings.Repeat("tcp/1,", 1024) + "tcp/1"
	_, err = scripting.Load(sourcetest.Files(map[string]string{"a.lua": `sesame.option "o" { type = "ports" }`}), scripting.Options{Values: map[string]string{"o": many}})
	if err == nil || !strings.Contains(err.Error(), "...: expected at most 1024 entries, got 1025") {
		t.Errorf("got %v", err)
	}
}
