local vpn   = { "tcp/1161", "tcp/11736", "udp/4458", "tcp/21941" }
local admin = { "udp/16863", "tcp/14107", "tcp/28929", "udp/12562" }

sesame.test "the console needs the VPN" {
  from = "203.0.113.9",
  { knock = admin, refuses = { "admin", reason = "when", condition = "vpn" } },
  { knock = vpn, opens = "vpn", allows = { port = "udp/51820", ttl = "8h" } },
  { knock = admin, opens = "admin", allows = { port = "tcp/8443", ttl = "1h" }, logs = "vpn ends in 28799.6 seconds" },
  { knock = admin, from = "203.0.113.10", refuses = { "admin", condition = "vpn" } },
  { wait = "59m" },
  { wait = "1m", closes = { "admin", reason = "expired" } },
}

sesame.test "the console closes with the VPN" {
  options = { stay = "30m" },
  { knock = vpn, opens = "vpn", allows = { ttl = "30m" } },
  { wait = "15m" },
  { knock = admin, opens = "admin" },
  { wait = "15m", closes = { { "vpn", reason = "expired" }, { "admin", reason = "closed_by_door" } } },
  { knock = admin, refuses = "admin" },
}

sesame.test "the VPN of others does not matter" {
  options = { stay = "30m" },
  { knock = vpn, from = "203.0.113.9", opens = "vpn" },
  { wait = "20m" },
  { knock = vpn, from = "203.0.113.10", opens = "vpn" },
  { knock = admin, from = "203.0.113.10", opens = "admin" },
  { wait = "10m", closes = { "vpn", source = "203.0.113.9" } },
}

-- Each knock counts: the others alone open nothing.
for door, sequence in pairs { vpn = vpn, admin = admin } do
  for i in ipairs(sequence) do
    local fewer = { unpack(sequence) }
    table.remove(fewer, i)
    sesame.test(door .. " without knock " .. i) { { knock = fewer, misses = i == 3 and door } }
  end
end
