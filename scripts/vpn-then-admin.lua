-- Opens WireGuard with one sequence and the admin console with another, and the second only for those
-- who have the first.
--
-- `sesame.granted "vpn"` holds for a source as long as its grant of the door vpn lasts. When that
-- ends, on_close closes the console as well: nothing that hung on the first door outlives it.
--
-- To make it yours: change the ports and the times. A third door can hang on the second in the same
--            way.
-- To knock:  knock -d 200 HOST 1161:tcp 11736:tcp 4458:udp 21941:tcp, and for the console
--            knock -d 200 HOST 16863:udp 14107:tcp 28929:tcp 12562:udp
-- To try it: sesame simulate -s scripts/vpn-then-admin.lua --set stay=10m pcaps/vpn-then-admin-opens.pcap
-- To test it: sesame test -s scripts/vpn-then-admin.lua

local stay = sesame.option "stay" { type = "duration", default = "8h", doc = "How long the VPN is open." }
local vpn  = sesame.granted "vpn"

sesame.door "vpn" {
  sequence = { "tcp/1161", "tcp/11736", "udp/4458", "tcp/21941" },
  guards   = "udp/51820",
  ttl      = stay,
  on_close = function(grant) grant:close "admin" end,   -- what this source has there, nobody else's
}

sesame.door "admin" {
  sequence = { "udp/16863", "tcp/14107", "tcp/28929", "udp/12562" },
  guards   = "tcp/8443",
  when     = vpn,
  on_open  = function(attempt)
    attempt:log("vpn ends in", attempt:granted "vpn", "seconds")   -- a number; nil without a grant
    attempt:allow { ttl = "1h" }
  end,
}
