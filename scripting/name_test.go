package scripting_test

import (
	"testing"

	"sesame/scripting"
	"sesame/scripting/source/sourcetest"
)

const aBeacon = `sesame.door "spa" { sequence = { 1, 2 }, on_open = function(a) a:log(sesame.store:once("nonce", "3m"), a.store:incr("n")) end }`

// exchange loads other scripts, as a reload does.
func (w *world) exchange(files map[string]string) {
	w.t.Helper()
	set, err := loadFiles(files)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(set.Close)
	w.see(w.e.Swap(w.now, set.Engine))
}

func TestARenamedFileForgetsNothing(t *testing.T) {
	named := "sesame.script \"beacon\"\n" + aBeacon
	w := theScripts(t, map[string]string{"spa.lua": named}, scripting.Options{})
	w.knock(alice, "tcp/1", "tcp/2")
	w.want("open spa 203.0.113.9", "log true 1")
	w.exchange(map[string]string{"beacon-spa.lua": named})
	w.knock(alice, "tcp/1", "tcp/2")
	w.want("open spa 203.0.113.9", "log false 2")
}

func TestAFileThatGetsANameForgetsNothing(t *testing.T) {
	w := theScripts(t, map[string]string{"spa.lua": aBeacon}, scripting.Options{})
	w.knock(alice, "tcp/1", "tcp/2")
	w.want("open spa 203.0.113.9", "log true 1")
	w.exchange(map[string]string{"spa.lua": "sesame.script \"beacon\"\n" + aBeacon})
	w.knock(alice, "tcp/1", "tcp/2")
	w.want("open spa 203.0.113.9", "log false 2")
	t.Log("# a file can take over what another one kept under its path")
	w = theScripts(t, map[string]string{"spa.lua": aBeacon}, scripting.Options{})
	w.knock(alice, "tcp/1", "tcp/2")
	w.want("open spa 203.0.113.9", "log true 1")
	w.exchange(map[string]string{"beacon-spa.lua": "sesame.script \"spa.lua\"\n" + aBeacon})
	w.knock(alice, "tcp/1", "tcp/2")
	w.want("open spa 203.0.113.9", "log false 2")
}

func TestDelaysOutlastARename(t *testing.T) {
	const text = `sesame.script "beacon"
sesame.handler("remind", function(timer) timer:log("from " .. timer.value) end)
sesame.door "spa" { sequence = { 1, 2 }, on_open = function(a) a:after("10s", "remind", "spa") end }`
	w := theScripts(t, map[string]string{"spa.lua": text}, scripting.Options{})
	w.knock(alice, "tcp/1", "tcp/2")
	w.exchange(map[string]string{"beacon-spa.lua": text})
	w.want("open spa 203.0.113.9")
	w.later(10_000_000_000)
	w.want("log from spa")
}

func TestNamesOfFiles(t *testing.T) {
	for _, tt := range []struct {
		name  string
		files map[string]string
		want  string
	}{
		{"two files of one name", map[string]string{"a.lua": "sesame.script \"spa\"", "b.lua": "-- a copy\nsesame.script \"spa\""},
			`b.lua:2:1: sesame.script: the name "spa" is taken by a.lua:1:1: the files would share their values, so choose another`},
		{"the path of another file", map[string]string{"a.lua": "sesame.script \"b.lua\"", "b.lua": "local x = 1"},
			"a.lua:1:1: sesame.script: b.lua keeps its values under its path: choose another name, or name that file too"},
		{"two names", map[string]string{"a.lua": "sesame.script \"a\"\nsesame.script \"b\""},
			"a.lua:2:1: sesame.script: it is named twice: a file has one name"},
		{"behind a door", map[string]string{"a.lua": "sesame.door \"d\" { sequence = { 1, 2 }, guards = 22 }\nsesame.script \"a\""},
			`a.lua:2:1: sesame.script: it stands behind sesame.door "d" in line 1: write it at the head of the file`},
		{"in a module", map[string]string{"a.lua": "require \"m\"", "lib/m.lua": "sesame.script \"a\" return {}"},
			"lib/m.lua:1:1: sesame.script: a module has no values of its own: write it at the head of a.lua (called from a.lua:1)"},
		{"no text", map[string]string{"a.lua": "sesame.script(7)"}, "a.lua:1:1: sesame.script: expected a string, got the number 7"},
		{"nothing", map[string]string{"a.lua": "sesame.script \"\""}, "a.lua:1:1: sesame.script: expected 1 to 127 bytes, got 0"},
		{"control characters", map[string]string{"a.lua": "sesame.script \"a\\n\""}, `a.lua:1:1: sesame.script: "a\n" is not plain text: expected UTF-8 without control characters`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := loadFiles(tt.files)
			if err == nil || err.Error() != tt.want {
				t.Errorf("got  %v\nwant %s", err, tt.want)
			}
		})
	}
	if _, err := loadFiles(map[string]string{"a.lua": `sesame.script "b.lua"`, "b.lua": `sesame.script "a.lua"`}); err != nil {
		t.Errorf("two files that exchanged their names: %v", err)
	}
}

func loadFiles(files map[string]string) (*scripting.Set, error) {
	return scripting.Load(sourcetest.Files(files), scripting.Options{})
}
