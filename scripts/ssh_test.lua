-- Run it with: sesame test -s scripts/ssh.lua
-- The ports stand here once more. A test that names the door alone would also pass with other ports.

local sequence = { "tcp/7421", "udp/9133", "tcp/2904", "tcp/6117" }

sesame.test "four knocks open SSH for 30 seconds" {
  from = "203.0.113.9",
  { knock = sequence, opens = "ssh", allows = { port = "tcp/22", source = "203.0.113.9", ttl = "30s" } },
  { wait = "29s" },
  { wait = "2s", closes = { "ssh", reason = "expired" } },
}

sesame.test "knocks take 8 seconds at most" {
  { knock = sequence, delay = "2600ms", opens = "ssh" },
  { wait = "30s", closes = "ssh" },
  { knock = sequence, delay = "2700ms", misses = { "ssh", reason = "total_timeout" } },
}

sesame.test "knocks in another order open nothing" {
  { knock = { "udp/9133", "tcp/7421", "tcp/2904", "tcp/6117" } },
  { knock = { "tcp/7421", "udp/9133", "tcp/6117", "tcp/2904" }, misses = { "ssh", reason = "out_of_order" } },
}

sesame.test "each address knocks for itself" {
  { knock = { "tcp/7421", "udp/9133" }, from = "203.0.113.9" },
  { knock = { "tcp/2904", "tcp/6117" }, from = "203.0.113.10" },
  { knock = sequence, from = "2001:db8::9", opens = { "ssh", source = "2001:db8::9" } },
}

sesame.test "a scan opens nothing" {
  from = "198.51.100.66",
  { scan = { "tcp/1-7999", "udp/1-7999" }, order = "up", delay = "1ms" },
  { scan = { "tcp/1-7999", "udp/1-7999" }, order = "down", delay = "1ms" },
}

-- Each knock counts: the others alone open nothing.
for i in ipairs(sequence) do
  local fewer = { unpack(sequence) }
  table.remove(fewer, i)
  sesame.test("without knock " .. i) { { knock = fewer, misses = i == 3 and "ssh" } }
end
