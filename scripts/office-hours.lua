-- Opens a remote desktop during office hours, and at any time from the office's own network.
--
-- The hours are those of Madrid, in summer and in winter, whatever time zone this machine has: `tz`
-- is required. A knock at another time is refused, and the reason says when the hours hold again.
-- On public holidays the office is closed: dates stand here or in a file, one a line. A date with
-- a year is one day, and one without a year is that day of each year.
--
-- `ends_with` closes the port when the office closes, though the four hours are not over. A session
-- that exists goes on. From the office itself the hours do not matter, so neither does their end.
--
-- From outside nobody can open the door at night, even with the right knock. So have another way to
-- the machine, such as the door in ssh.lua.
--
-- To make it yours: change the hours, the zone, the holidays, the networks, the ports.
-- To knock:  knock -d 200 HOST 9342:tcp 3051:tcp 7718:udp 5526:tcp
-- To try it: sesame simulate -s scripts/office-hours.lua pcaps/office-hours-evening.pcap
-- To test it: sesame test -s scripts/office-hours.lua

local weekdays = sesame.window {
  days = "mon-fri", from = "08:00", to = "19:00", tz = "Europe/Madrid",
  except = { "12-25", "2026-12-28 to 2027-01-06", file = "lists/holidays.txt" },
}
local saturday = sesame.window { days = "sat", from = "09:00", to = "14:00", tz = "Europe/Madrid" }
local hours    = sesame.any { weekdays, saturday }
local office   = sesame.networks { "192.0.2.0/24", "2001:db8:0f1c::/48" }

-- sesame:allow no-way-back SSH is the way back, see ssh.lua
sesame.door "desktop" {
  sequence = { "tcp/9342", "tcp/3051", "udp/7718", "tcp/5526" },
  guards   = "tcp/3389",
  ttl      = "4h",
  when     = sesame.any { office, hours },
  on_open  = function(attempt)
    if attempt:holds(office) then
      attempt:allow()
    else
      attempt:allow { ends_with = hours }
    end
  end,
}
