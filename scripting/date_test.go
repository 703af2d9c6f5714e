package scripting_test

import (
	"strings"
	"testing"
	"time"

	"sesame/scripting"
	"sesame/scripting/source"
	"sesame/scripting/zone"
)

const dateDoor = `
local function show(attempt) attempt = attempt -- else what is wrong would not load
  local d = attempt:date(ZONE)
  local fields = {}
  for key, value in pairs(d) do fields[#fields + 1] = key .. "=" .. tostring(value) end
  attempt:log(table.concat(fields, " "))
end
sesame.door "ssh" { sequence = { 7421 }, guards = 22, on_open = show }`

// knockedAt loads the door, and knocks at a time.
func knockedAt(t *testing.T, zone string, at time.Time) *world {
	t.Helper()
	w := theScript(t, strings.ReplaceAll(dateDoor, "ZONE", zone))
	w.later(at.Sub(w.now))
	w.knock(alice, "tcp/7421")
	return w
}

func TestDatesInFunctions(t *testing.T) {
	noon := time.Date(2026, 7, 1, 12, 34, 56, 0, time.UTC)
	for _, tt := range []struct {
		zone string
		at   time.Time
		want string
	}{
		{`"Europe/Madrid"`, noon, "year=2026 month=7 day=1 hour=14 min=34 sec=56 wday=4 yday=182 isdst=true"},
		{`"UTC"`, noon, "year=2026 month=7 day=1 hour=12 min=34 sec=56 wday=4 yday=182 isdst=false"},
		{`"Pacific/Kiritimati"`, noon, "year=2026 month=7 day=2 hour=2 min=34 sec=56 wday=5 yday=183 isdst=false"},
		{`"Europe/Madrid"`, time.Date(2028, 12, 31, 0, 0, 0, 0, time.UTC), "year=2028 month=12 day=31 hour=1 min=0 sec=0 wday=1 yday=366 isdst=false"},
	} {
		knockedAt(t, tt.zone, tt.at).want("open ssh 203.0.113.9", "log "+tt.want)
	}
}

func TestDatesThatFail(t *testing.T) {
	for _, tt := range []struct{ zone, want string }{
		{``, `date: expected a time zone such as "Europe/Madrid", got nothing`},
		{`{}`, `date: expected a time zone such as "Europe/Madrid", got a table`},
		{`"Europe/" .. "Paris"`, `date: time zone "Europe/Paris" is not named in the text of the scripts: write the name itself in a call, as in attempt:date("Europe/Madrid")`},
		{`"Local" .. ""`, `date: unknown time zone "Local": expected a name of the time zone database, such as "Europe/Madrid" or "UTC"`},
		{`"../../etc/" .. "passwd"`, `date: unknown time zone "../../etc/passwd": expected a name of the time zone database, such as "Europe/Madrid" or "UTC"`},
	} {
		knockedAt(t, tt.zone, monday).want("error ssh.lua:3: "+tt.want, "refuse ssh script_error")
	}
}

// A name that is computed is found when a window, an option or another call
// names the zone.
func TestComputedZonesThatBelongToTheSet(t *testing.T) {
	for _, text := range []string{
		`local zone = sesame.option "zone" { type = "zone", default = "Asia/Tokyo" }`,
		`local zone = "Asia/" .. "Tokyo"  local hours = sesame.window { days = "mon", tz = "Asia/Tokyo" }`,
		`local zone = "Asia/" .. "Tokyo"  local function f(a) return a:date("Asia/Tokyo") end`,
	} {
		w := theScript(t, text+` sesame.door "ssh" { sequence = { 7421 }, on_open = function(attempt) attempt:log(attempt:date(zone).hour) end }`)
		w.knock(alice, "tcp/7421")
		w.want("open ssh 203.0.113.9", "log 19")
	}
}

// What a zone means is a part of the set: its file decides, and not the machine.
func TestZoneFilesBelongToTheSet(t *testing.T) {
	tokyo, err := zone.BuiltIn("Asia/Tokyo")
	if err != nil {
		t.Fatal(err)
	}
	script := source.File{Path: "ssh.lua", Source: []byte(strings.ReplaceAll(dateDoor, "ZONE", `"Europe/Madrid"`))}
	load := func(files ...source.File) *scripting.Set {
		set, err := scripting.Load(source.Of("the recording", "", append(files, script)), scripting.Options{})
		if err != nil {
			t.Fatal(err)
		}
		return set
	}
	t.Log("# without the file, as in old recordings, the zone is the one that is built in")
	w := newWorld(t, load())
	w.knock(alice, "tcp/7421")
	w.want("open ssh 203.0.113.9", "log year=2026 month=3 day=2 hour=11 min=0 sec=0 wday=2 yday=61 isdst=false")
	if path := w.set.Files[1].Path; path != "/usr/share/zoneinfo/Europe/Madrid" || !w.set.Files[1].Zone {
		t.Errorf("the set has the file %s", path)
	}
	t.Log("# a set whose Madrid is Tokyo")
	w = newWorld(t, load(source.File{Path: zone.Path("Europe/Madrid"), Source: tokyo}))
	w.knock(alice, "tcp/7421")
	w.want("open ssh 203.0.113.9", "log year=2026 month=3 day=2 hour=19 min=0 sec=0 wday=2 yday=61 isdst=false")
	t.Log("# a set with bytes that are no zone")
	broken := source.Of("the recording", "", []source.File{script, {Path: zone.Path("Europe/Madrid"), Source: []byte("TZif?")}})
	if _, err := scripting.Load(broken, scripting.Options{}); err == nil ||
		!strings.Contains(err.Error(), `time zone "Europe/Madrid": reading /usr/share/zoneinfo/Europe/Madrid: it is no file of a time zone`) {
		t.Error(err)
	}
}

// The local time of whoever runs the program changes nothing.
func TestLocalTimeDoesNotMatter(t *testing.T) {
	defer func(before *time.Location) { time.Local = before }(time.Local)
	for _, offset := range []int{-12, 0, 14} {
		time.Local = time.FixedZone("here", offset*3600)
		w := theScript(t, `
local hours = sesame.window { days = "mon", from = "11:00", to = "11:01", tz = "Europe/Madrid", only = { "2026-03-02" } }
sesame.door "ssh" { sequence = { 7421 }, guards = 22, when = hours }`)
		w.knock(alice, "tcp/7421")
		w.later(time.Minute)
		w.knock(alice, "tcp/7421")
		w.want("open ssh 203.0.113.9", "allow 203.0.113.9/32 tcp/22 30s", "close ssh tcp/22 expired",
			"refuse ssh when hours: mon 11:00-11:01 Europe/Madrid, only 2026-03-02; it was Mon 11:01; does not hold again")
	}
}

func TestHolidaysOfAFile(t *testing.T) {
	w := theScripts(t, map[string]string{
		"ssh.lua": `
local night = sesame.window { from = "22:00", to = "06:00", tz = "UTC", except = { "03-03", file = "lists/holidays.txt" } }
sesame.door "ssh" { sequence = { 7421 }, guards = 22, ttl = "1s", when = night }`,
		"/srv/scripts/lists/holidays.txt": "\ufeff# holidays\r\n\r\n2026-03-04 to 2026-03-06 # a long weekend\r\n",
	}, scripting.Options{})
	refused := func(clock, again string) string {
		return "refuse ssh when night: mon-sun 22:00-06:00 UTC, except 03-03, the dates in holidays.txt; it was " + clock + "; holds again " + again
	}
	for _, tt := range []struct {
		at   string
		want string // "": it opens
	}{
		{"2026-03-02T23:00", ""},
		{"2026-03-03T05:59", ""}, // the night began the day before
		{"2026-03-03T22:00", refused("Tue 22:00", "Sat 22:00")},
		{"2026-03-07T05:00", refused("Sat 05:00", "Sat 22:00")},
		{"2026-03-07T22:00", ""},
	} {
		at, err := time.Parse("2006-01-02T15:04", tt.at)
		if err != nil {
			t.Fatal(err)
		}
		w.later(at.Sub(w.now))
		w.got = nil
		w.knock(alice, "tcp/7421")
		if tt.want == "" {
			w.want("open ssh 203.0.113.9", "allow 203.0.113.9/32 tcp/22 1s")
		} else {
			w.want(tt.want)
		}
	}
}
