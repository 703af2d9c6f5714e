package scripting_test

import (
	"strings"
	"testing"
	"time"

	"sesame/scripting"
	"sesame/scripting/source/sourcetest"
)

const officeHours = `
local weekdays = sesame.window { days = "mon-fri", from = "08:00", to = "19:00", tz = "Europe/Madrid" }
local saturday = sesame.window { days = "sat", from = "09:00", to = "14:00", tz = "Europe/Madrid" }
local late     = sesame.window { days = "mon", from = "19:00", to = "20:00", tz = "Europe/Madrid" }
local hours    = sesame.any { weekdays, saturday }
`

func TestADoorEndsWithItsWindow(t *testing.T) {
	w := theScript(t, officeHours+`sesame.door "desk" { sequence = { 1 }, guards = 22, ttl = "4h", when = hours, ends_with = hours }`)
	w.knock(alice, "tcp/1")
	w.later(6*time.Hour + 30*time.Minute)
	w.knock(alice, "tcp/1")
	w.later(2 * time.Hour)
	w.want("open desk 203.0.113.9", "allow 203.0.113.9/32 tcp/22 4h0m0s", "close desk tcp/22 expired",
		"open desk 203.0.113.9", "allow 203.0.113.9/32 tcp/22 1h30m0s", "close desk tcp/22 window_ended")
}

// One window ends when the next begins, so together they go on.
func TestWindowsThatFollowEachOther(t *testing.T) {
	w := theScript(t, officeHours+`sesame.door "desk" { sequence = { 1 }, guards = 22, ttl = "24h", ends_with = sesame.any { late, weekdays } }`)
	w.knock(alice, "tcp/1")
	w.want("open desk 203.0.113.9", "allow 203.0.113.9/32 tcp/22 9h0m0s")
}

func TestAnAllowEndsWithAWindow(t *testing.T) {
	w := theScript(t, officeHours+`
sesame.door "files" { sequence = { 1 }, guards = 22, on_open = function(attempt)
  if attempt:date("Europe/Madrid").hour < 17 then
    attempt:allow { ttl = "8h", ends_with = weekdays }
  else
    attempt:allow { ttl = "30m", ends_with = weekdays }
  end
end }`)
	w.later(4 * time.Hour) // 15:00 in Madrid
	w.knock(alice, "tcp/1")
	w.later(150 * time.Minute)
	w.knock(bob, "tcp/1")
	w.later(150 * time.Minute)
	w.knock(alice, "tcp/1")
	w.want("open files 203.0.113.9", "allow 203.0.113.9/32 tcp/22 4h0m0s", "open files 2001:db8::7", "allow 2001:db8::7/128 tcp/22 30m0s",
		"close files tcp/22 expired", "close files tcp/22 window_ended",
		"error ssh.lua:7: allow: ends_with weekdays: mon-fri 08:00-19:00 Europe/Madrid: it does not hold now, so the grant would end before it begins: ask for it in when",
		"refuse files script_error")
}

func TestAnAllowEndsWithAnyOfWindows(t *testing.T) {
	w := theScript(t, officeHours+`sesame.door "files" { sequence = { 1 }, guards = 22, on_open = function(attempt) attempt:allow { ttl = "24h", ends_with = hours } end }`)
	w.knock(alice, "tcp/1")
	w.want("open files 203.0.113.9", "allow 203.0.113.9/32 tcp/22 8h0m0s")
}

func TestWhatIsNoEnd(t *testing.T) {
	const expected = "ends_with: expected a window, or sesame.any of windows alone: nothing else has an end that is known beforehand, got "
	for _, tt := range []struct{ value, want string }{
		{`sesame.networks { "192.0.2.1", name = "home" }`, expected + "home: 192.0.2.1/32"},
		{`sesame.any { weekdays, sesame.networks { "192.0.2.1", name = "home" }, name = "either" }`,
			expected + "either: weekdays: mon-fri 08:00-19:00 Europe/Madrid or home: 192.0.2.1/32"},
		{`("19:" .. "00")`, expected + `the string "19:00"`},
		{`{ weekdays }`, expected + "a table"},
		{`function() return true end`, expected + "a function"},
	} {
		at := officeHours + `local last = ` + tt.value + "\n"
		// A variable that is assigned is not followed, so the call fails only when it runs.
		w := theScript(t, at+"last = last\n"+`sesame.door "desk" { sequence = { 1 }, guards = 22, on_open = function(attempt) attempt:allow { ends_with = last } end }`)
		w.knock(alice, "tcp/1")
		if got := brief(w.got[1]); !strings.HasSuffix(got, tt.want) {
			t.Errorf("in a function: %s\nwant %s", got, tt.want)
		}
		if _, err := scripting.Load(sourcetest.Files(map[string]string{"ssh.lua": at + `sesame.door "desk" { sequence = { 1 }, guards = 22, ends_with = last }`}), scripting.Options{}); err == nil || !strings.HasSuffix(err.Error(), tt.want) {
			t.Errorf("in a door: %v\nwant %s", err, tt.want)
		}
	}
}

func TestAClockInDoubtRefusesWindows(t *testing.T) {
	w := theScript(t, officeHours+`
sesame.door "desk" { sequence = { 1 }, guards = 22, when = sesame.any { weekdays, sesame.networks { "2001:db8::/32", name = "home" } } }`)
	w.see(w.e.Clock(w.now, true))
	w.knock(alice, "tcp/1")
	w.knock(bob, "tcp/1")
	w.want("refuse desk clock weekdays: mon-fri 08:00-19:00 Europe/Madrid: the clock of this machine is not synchronised, so the time of day may be wrong: "+
		"look at its NTP client (timedatectl, chronyc tracking)",
		"open desk 2001:db8::7", "allow 2001:db8::7/128 tcp/22 30s")
}

// The set says whether anything depends on the time of day.
func TestASetWithWindows(t *testing.T) {
	for text, want := range map[string]bool{
		`sesame.door "desk" { sequence = { 1 }, guards = 22 }`:                                                                                    false,
		`sesame.door "desk" { sequence = { 1 }, guards = 22, when = sesame.networks { "192.0.2.1" } }`:                                            false,
		`sesame.door "desk" { sequence = { 1 }, guards = 22, when = sesame.none { sesame.window { from = "08:00", to = "19:00", tz = "UTC" } } }`: true,
		`local hours = sesame.window { from = "08:00", to = "19:00", tz = "UTC" }
sesame.door "desk" { sequence = { 1 }, guards = 22, on_open = function(attempt) if attempt:holds(hours) then attempt:allow() end end }`: true,
	} {
		w := theScript(t, text)
		if w.set.Windows != want {
			t.Errorf("%s: %v", text, w.set.Windows)
		}
	}
}
