-- Opens two doors of a club: the forum for sources in the European Union, and its web site for all
-- of Europe.
--
-- These are different things. Switzerland and the United Kingdom are in Europe and not in the Union;
-- for a database "EU" often means neither. So the Union is a list of countries, in lib/eu.lua, and a
-- continent follows from the country by a table in the program.
--
-- To make it yours: change the ports, and lib/eu.lua when a country joins or leaves.
-- To knock:  knock -d 200 HOST 13739:tcp 18602:tcp 18147:udp 5709:tcp
-- To try it: sesame simulate -s scripts/eu.lua --fact "203.0.113.9 country=CH" pcaps/eu-opens.pcap
-- To test it: sesame test -s scripts/eu.lua

local union  = sesame.country(require "eu")
local europe = sesame.continent { "europe" }

-- sesame:allow no-way-back SSH is the way back, see ssh.lua
sesame.door "forum" {
  sequence = { "tcp/13739", "tcp/18602", "udp/18147", "tcp/5709" },
  guards   = "tcp/8448",
  when     = union,
}

-- sesame:allow no-way-back SSH is the way back, see ssh.lua
sesame.door "web" {
  sequence = { "tcp/14447", "udp/23538", "tcp/2983", "tcp/2956" },
  guards   = "tcp/443",
  when     = europe,
}
