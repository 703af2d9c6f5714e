package difference_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"sesame/scripting"
	"sesame/scripting/difference"
	"sesame/scripting/source/sourcetest"
)

// load loads a script set from texts by path.
func load(t testing.TB, texts map[string]string) *scripting.Set {
	t.Helper()
	set, err := scripting.Load(sourcetest.Files(texts), scripting.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(set.Close)
	return set
}

const ssh = `local hours = sesame.window { days = "mon-fri", from = "08:00", to = "19:00", tz = "UTC" }
local eu = sesame.country { "AT", "BE", "BG", "CY", "CZ", "DE", "DK", "EE", "ES", "FI", "MT" }
local audit = sesame.command { "/bin/audit", "{source}", timeout = "5s", undo = { "/bin/true" } }
local wait = sesame.option "wait" { type = "duration", default = "10s" }
local token = sesame.option "token" { type = "string", default = "hush" }
local function text(source) return "in: " .. source end
local function weekend(attempt) return attempt.time > 0, "never" end
sesame.handler("remind", function(timer) timer:log("still open") end)
sesame.door "ssh" {
  sequence = { "tcp/7421", "udp/9133", "tcp/2904" }, within = wait, guards = "tcp/22", ttl = "30s",
  when = { hours, sesame.any { eu, weekend } },
  on_open = function(attempt) attempt:allow(); attempt:log(text(attempt.source)) end,
}
`

func TestWhatChanged(t *testing.T) {
	for _, tt := range []struct {
		name     string
		from, to string // parts of the text; "": the whole is "to"
		want     string
	}{
		{"nothing", "", ssh, ""},
		{"a ttl", `ttl = "30s"`, `ttl = "45s"`, "ssh: ttl 30s -> 45s"},
		{"two options", `guards = "tcp/22", ttl = "30s"`, `guards = { "tcp/22", "tcp/2222" }, ttl = "1m", cut = true`, "ssh: guards tcp/22 -> tcp/22, tcp/2222, ttl 30s -> 1m, cut false -> true"},
		{"a name", "local wait", `sesame.script "gate" local wait`, "ssh.lua changed; ssh.lua: name of the stored values ssh.lua -> gate"},
		{"a sequence", `"udp/9133"`, `"udp/9134"`, "ssh: sequence changed"},
		{"a shorter sequence", `, "tcp/2904"`, ``, "ssh: sequence changed"},
		{"flags", `"tcp/2904" }`, `{ "tcp/2904", flags = "fin" } }`, "ssh: flags changed"},
		{"a limit", `ttl = "30s",`, `ttl = "30s", limit = "3/h",`, "ssh: limit none -> 3/h"},
		{"step_timeout", `ttl = "30s",`, `ttl = "30s", step_timeout = "2s",`, "ssh: step_timeout none -> 2s"},
		{"rules", `ttl = "30s",`, `ttl = "30s", on_wrong = "ignore", duplicates = "wrong", strict = true, tripwires = 3, except = "tcp/80",`,
			"ssh: on_wrong reset -> ignore, duplicates ignore -> wrong, strict false -> true, tripwires 64 -> 3, except changed"},
		{"a target", `ttl = "30s",`, `ttl = "30s", target = "198.51.100.7",`, "ssh: target any of this host -> 198.51.100.7"},
		{"ports", `ttl = "30s",`, `ttl = "30s", ports = "tcp/25",`, "ssh: ports none -> tcp/25"},
		{"a mode", `ttl = "30s",`, `ttl = "30s", mode = "observe",`, "ssh: mode enforce -> observe"},
		{"an end", `ttl = "30s",`, `ttl = "30s", ends_with = hours,`, "ssh: ends_with none -> hours: mon-fri 08:00-19:00 UTC"},
		{"a window", `"08:00"`, `"09:00"`, "ssh: when hours mon-fri 08:00-19:00 UTC -> mon-fri 09:00-19:00 UTC"},
		{"a country behind those that its text shows", `, "MT" }`, `, "GB", "FR" }`, "ssh: when eu without MT with GB FR"},
		{"many countries", `"AT", "BE", "BG", "CY", "CZ", "DE", "DK", `, ``, "ssh: when eu without AT BE BG CY CZ DE ..."},
		{"a condition less", `when = { hours, sesame.any`, `when = { sesame.any`, "ssh: when hours mon-fri 08:00-19:00 UTC -> none"},
		{"the code of a condition", `attempt.time > 0`, `attempt.time > 1`, "ssh: when weekend changed"},
		{"a function", `attempt:allow();`, `attempt:allow { ttl = "5s" };`, "ssh: on_open changed"},
		{"one function more", `  on_open`, `  on_miss = function() end, on_open`, "ssh: on_miss none -> a function"},
		{"a function less", `  on_open = function(attempt) attempt:allow(); attempt:log(text(attempt.source)) end,`, ``, "ssh: on_open a function -> none"},
		{"a function that others call", `"in: "`, `"out: "`, "ssh.lua changed"},
		{"the same beside another change", `"in: " .. source end`, `"out: " .. source end sesame.listen "b" { on = "udp/9", on_knock = function() end }`, "door b new; ssh.lua: functions changed"},
		{"a comment", `sesame.door`, "-- all of them\n\nsesame.door", "ssh.lua only comments or layout changed"},
		{"a setting", `"10s"`, `"12s"`, "ssh: within 10s -> 12s; option wait 10s -> 12s"},
		{"a text of a setting is not shown", `"hush"`, `"quiet"`, "option token changed"},
		{"a shared command", `audit", "{source}", timeout = "5s"`, `audit", timeout = "5s", shared = true`, "command audit: arguments changed, shared false -> true"},
		{"a command", `timeout = "5s", undo = { "/bin/true" }`, `required = true`, "command audit: undo /bin/true -> none, timeout 5s -> 10s, required false -> true"},
		{"arguments are not shown", `"{source}"`, `"{source}", "hush"`, "command audit: arguments changed"},
		{"a program", `"/bin/audit"`, `"/bin/other"`, "command audit: program /bin/audit -> /bin/other"},
		{"a handler", `"still open"`, `"is open"`, "handler remind changed"},
		{"another handler", `"remind"`, `"tell"`, "handler tell new; handler remind gone"},
		{"another name", `"ssh"`, `"shell"`, "door shell new; door ssh gone"},
		{"a command more", `local wait`, `local other = sesame.command { "/bin/other", "{source}" } local wait`, "command other new"},
		{"a command less", `local audit = sesame.command { "/bin/audit", "{source}", timeout = "5s", undo = { "/bin/true" } }`, "", "command audit gone"},
		{"an option more", `local wait`, `local more = sesame.option "more" { type = "boolean", default = true } local wait`, "option more new"},
		{"an option less", `local token = sesame.option "token" { type = "string", default = "hush" }`, "", "option token gone"},
		{"another kind of condition", `sesame.country { "AT", "BE", "BG", "CY", "CZ", "DE", "DK", "EE", "ES", "FI", "MT" }`, `sesame.networks { "192.0.2.0/24" }`, "ssh: when eu without AT BE BG CY CZ DE ... with 192.0.2.0/24"},
		{"a window in place of a list", `sesame.country { "AT", "BE", "BG", "CY", "CZ", "DE", "DK", "EE", "ES", "FI", "MT" }`, `sesame.window { days = "mon", tz = "UTC" }`, "ssh: when eu AT, BE, BG, CY, CZ, DE, DK, EE and 3 more -> mon 00:00-24:00 UTC"},
		{"a listener", `sesame.door "ssh" {`, `sesame.listen "x" { on = "udp/9", on_knock = function() end } sesame.door "ssh" {`, "door x new"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			text := tt.to
			if tt.from != "" {
				text = strings.Replace(ssh, tt.from, tt.to, 1)
				if text == ssh {
					t.Fatalf("the script has no %q", tt.from)
				}
			}
			before, after := load(t, map[string]string{"ssh.lua": ssh}), load(t, map[string]string{"ssh.lua": text})
			if got := difference.Text(difference.Of(before, after), 10); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}

// TestWhatChangedInFiles compares sets of several files.
func TestWhatChangedInFiles(t *testing.T) {
	const team = "sesame.door \"a\" { sequence = { \"tcp/1\", \"tcp/2\" }, guards = \"tcp/22\", when = require(\"team\") }"
	lib := func(file string) string { return `return sesame.networks { "192.0.2.0/24", ` + file + `}` }
	files := func(more ...string) map[string]string {
		all := map[string]string{"a.lua": team, "lib/team.lua": lib(`file = "/lists/team"`), "/lists/team": "203.0.113.1\n", "/lists/other": "203.0.113.2\n",
			"/once": "1,2\n3,4\n", "c.lua": `sesame.door "c" { one_time_sequences = "/once", guards = "tcp/80" }`}
		for i := 0; i < len(more); i += 2 {
			all[more[i]] = more[i+1]
		}
		return all
	}
	for _, tt := range []struct {
		name string
		to   map[string]string
		want string
	}{
		{"nothing", files(), ""},
		{"a list", files("/lists/team", "203.0.113.9\n"), "/lists/team changed"},
		{"another list", files("lib/team.lua", lib(`file = "/lists/other"`)), "a: when networks without team with other; /lists/other new; lib/team.lua changed; /lists/team gone"},
		{"a module", files("lib/team.lua", "local x = 1\n"+lib(`file = "/lists/team"`)), "lib/team.lua changed"},
		{"a sequence was used", files("/once", "#1,2\n3,4\n"), ""},
		{"more sequences", files("/once", "1,2\n3,4\n5,6\n"), "c: one_time_sequences changed"},
		{"a sequence in place of those", files("c.lua", `sesame.door "c" { sequence = { "tcp/1", "tcp/2" }, guards = "tcp/80" }`), "c: one_time_sequences changed; /once gone"},
		{"a new file", files("b.lua", "sesame.door \"b\" { sequence = { \"tcp/3\", \"tcp/4\" }, guards = \"tcp/22\" }"), "door b new"},
		{"a renamed file", renamed(files(), "a.lua", "d.lua"), "a: file a.lua -> d.lua"},
		{"a file that two others replace", renamed(files("e.lua", "-- empty"), "a.lua", "d.lua"), "a: file a.lua -> d.lua; e.lua new"},
		{"a file that is gone with its door", renamed(files("d.lua", "-- empty"), "a.lua", "d.lua"), "a: file a.lua -> d.lua"},
		{"a door in another file", files("a.lua", "-- empty", "b.lua", team), "a: file a.lua -> b.lua; a.lua changed"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := difference.Text(difference.Of(load(t, files()), load(t, tt.to)), 10); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}

// renamed returns files of which one has another name.
func renamed(all map[string]string, from, to string) map[string]string {
	all[to] = all[from]
	delete(all, from)
	return all
}

// TestKnocksAreNeverTold loads random sequences, and looks for their ports in all that is told.
func TestKnocksAreNeverTold(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		var knocks []string
		set := func() *scripting.Set {
			list := rapid.SliceOfNDistinct(rapid.IntRange(10_000, 65_535), 2, 5, rapid.ID[int]).Draw(r, "sequence")
			quoted := ""
			for _, port := range list {
				knocks, quoted = append(knocks, fmt.Sprint(port)), quoted+fmt.Sprintf("%q, ", fmt.Sprintf("tcp/%d", port))
			}
			return load(t, map[string]string{"a.lua": fmt.Sprintf(`local first = sesame.option "first" { type = "ports", default = { %s } }
local number = sesame.option "number" { type = "number", default = %d }
local audit = sesame.command { "/bin/audit", "%d" }
sesame.door "a" { sequence = first, guards = "tcp/22", except = { %s } }`, quoted, list[0], list[0], quoted)})
		}
		changes, err := json.Marshal(difference.Of(set(), set()))
		if err != nil {
			r.Fatal(err)
		}
		for _, port := range knocks {
			if strings.Contains(string(changes), port) {
				r.Errorf("%s is in %s", port, changes)
			}
		}
	})
}

func TestManyChangesAreCounted(t *testing.T) {
	var changes []difference.Change
	for i := range 1005 {
		changes = append(changes, difference.Change{Kind: difference.Door, Name: fmt.Sprint(i), What: difference.New})
	}
	want := []string{"door 0 new", "door 1 new", "and 1,003 more"}
	if diff := cmp.Diff(want, difference.Lines(changes, 2)); diff != "" {
		t.Error(diff)
	}
}

// A combination of the same conditions in another way is another condition.
func TestAnotherCombination(t *testing.T) {
	with := func(combined string) *scripting.Set {
		return load(t, map[string]string{"a.lua": `local lan = sesame.networks { "192.0.2.0/24" }
local eu = sesame.country { "ES" }
local both = sesame.` + combined + ` { lan, eu }
sesame.door "a" { sequence = { "tcp/1", "tcp/2" }, guards = "tcp/22", when = both }`})
	}
	const want = "a: when both lan: 192.0.2.0/24 or eu: ES -> lan: 192.0.2.0/24 and eu: ES"
	if got := difference.Text(difference.Of(with("any"), with("all")), 10); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// A value that was not there, or is no longer, is none.
func TestLinesOfValues(t *testing.T) {
	option := func(from, to string) difference.Change {
		return difference.Change{Kind: difference.Option, Name: "a", What: difference.Changed, From: from, To: to}
	}
	want := []string{"option a none -> x", "option a x -> none", "option a changed"}
	if diff := cmp.Diff(want, difference.Lines([]difference.Change{option("", "x"), option("x", ""), option("", "")}, 5)); diff != "" {
		t.Error(diff)
	}
}

// TestChangesCannotPoseAsOthers has names and values with control characters.
func TestChangesCannotPoseAsOthers(t *testing.T) {
	before := load(t, map[string]string{"a.lua": `local c = sesame.command { "/bin/a" }`})
	after := load(t, map[string]string{"a.lua": `local c = sesame.command { "/bin/b\27[2J\nx" }`})
	if got := difference.Text(difference.Of(before, after), 10); got != `command c: program /bin/a -> "/bin/b\x1b[2J\nx"` {
		t.Errorf("got %s", got)
	}
}
