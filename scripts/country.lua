-- Opens a mail server for sources in Spain and Portugal, and for the own network at any time.
--
-- Which country an address is in is a fact from a database that you have to get, such as GeoLite2 or
-- the Debian package tor-geoipdb; docs/geography.md says how. Without a database the country is unknown.
-- Unknown never opens: the door refuses with no_data. That is why the own network comes first:
-- private addresses are in no database.
--
-- A country is no proof of identity. Somebody abroad can use a machine in Spain. It keeps most of
-- the world's scanners away, and no more.
--
-- To make it yours: change the countries, the networks, the ports. Codes are those of ISO 3166-1:
--            GB is the United Kingdom, GR is Greece.
-- To knock:  knock -d 200 HOST 14201:udp 18087:tcp 27499:udp 6483:tcp
-- To try it: sesame simulate -s scripts/country.lua --fact "203.0.113.9 country=ES" pcaps/country-opens.pcap
-- To test it: sesame test -s scripts/country.lua

local lan    = sesame.networks { "192.168.0.0/16", "fd00::/8" }
local iberia = sesame.country { "ES", "PT" }

-- sesame:allow no-way-back SSH is the way back, see ssh.lua
sesame.door "mail" {
  sequence = { "udp/14201", "tcp/18087", "udp/27499", "tcp/6483" },
  guards   = "tcp/993",
  ttl      = "1h",
  when     = sesame.any { lan, iberia },   -- the first that holds decides
}
