-- Opens a remote desktop on working days from 8 to 19 o'clock, and at any time from the office's
-- own network.
--
-- The time of day is that of Madrid, in summer and in winter, whatever time zone this machine has:
-- `tz` is required. A knock at another time is refused, and the transcript names the hours. From
-- outside nobody can open the door at night, even with the right knock. So have another way to the
-- machine, such as the door in ssh.lua.
--
-- To make it yours: change the hours, the zone, the networks, the ports.
-- To knock:  knock -d 200 HOST 9342:tcp 3051:tcp 7718:udp 5526:tcp
-- To try it: sesame simulate -s scripts/office-hours.lua pcaps/office-hours-weekend.pcap

local hours  = sesame.window { days = "mon-fri", from = "08:00", to = "19:00", tz = "Europe/Madrid" }
local office = sesame.networks { "192.0.2.0/24", "2001:db8:0f1c::/48" }

-- sesame:allow no-way-back SSH is the way back, see ssh.lua
sesame.door "desktop" {
  sequence = { "tcp/9342", "tcp/3051", "udp/7718", "tcp/5526" },
  guards   = "tcp/3389",
  ttl      = "2m",
  when     = { sesame.any { hours, office } },
}
