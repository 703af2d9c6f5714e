package scripting_test

import (
	"testing"
	"time"

	"sesame/scripting"
)

// Numbers are printed as people write them: a time in seconds has all its digits and no exponent.
func TestNumbersPrintAsPeopleWriteThem(t *testing.T) {
	w := theScripts(t, map[string]string{"ssh.lua": `
sesame.door "ssh" { sequence = { 1, 2 }, guards = 22, on_open = function(attempt)
  attempt:log(attempt.time)
  attempt:log("at " .. attempt.time .. ", in an hour " .. attempt.time + 3600)
  print(attempt.time, tostring(attempt.time), ("%s %d"):format(attempt.time, attempt.time))
  attempt:log(62201, "tcp/" .. 65535, 30, 0.5, 1 / 4, -1, 2 ^ 40, 86400 * 365)
end }`}, scripting.Options{})
	w.later(600 * time.Millisecond)
	w.knock(alice, "tcp/1", "tcp/2")
	w.want("open ssh 203.0.113.9", "log 1772445600.6",
		"log at 1772445600.6, in an hour 1772449200.6",
		"log 1772445600.6\t1772445600.6\t1772445600.6 1772445600",
		"log 62201 tcp/65535 30 0.5 0.25 -1 1099511627776 31536000")
}

// An error in a module has the line that called it, also in a function that runs later.
func TestErrorsInModulesNameTheirCaller(t *testing.T) {
	w := theScripts(t, map[string]string{
		"ssh.lua": `local users = require "users"
sesame.door "ssh" { sequence = { 1, 2 }, guards = 22, on_open = function(attempt)
  attempt:log(users.name(attempt.source))
end }`,
		"lib/users.lua": "local M = {}\nfunction M.name(source)\n  return M.names[source]\nend\nreturn M",
	}, scripting.Options{})
	w.knock(alice, "tcp/1", "tcp/2")
	w.want("error lib/users.lua:3: attempt to read field '203.0.113.9' of a nil value (called from ssh.lua:3)", "refuse ssh script_error")
}
