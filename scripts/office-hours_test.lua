local sequence = { "tcp/9342", "tcp/3051", "udp/7718", "tcp/5526" }

-- Times in Madrid, and whether the office is open then.
local times = {
  ["2026-11-23 07:59:30"] = false,    -- a Monday
  ["2026-11-23 08:00:30"] = true,
  ["2026-11-23 18:59:30"] = true,
  ["2026-11-23 19:00:30"] = false,
  ["2026-07-01 08:00:30"] = true,     -- in summer
  ["2026-07-01 19:00:30"] = false,
  ["2026-11-27 18:30"]    = true,     -- a Friday
  ["2026-11-28 08:59:30"] = false,    -- a Saturday
  ["2026-11-28 09:00:30"] = true,
  ["2026-11-28 13:59:30"] = true,
  ["2026-11-28 14:00:30"] = false,
  ["2026-11-29 11:00"]    = false,    -- a Sunday
  ["2026-12-24 11:00"]    = true,
  ["2026-12-25 11:00"]    = false,    -- Christmas, each year
  ["2028-12-25 11:00"]    = false,
  ["2026-12-28 11:00"]    = false,    -- from here to January 6 the office is closed
  ["2027-01-06 11:00"]    = false,
  ["2027-01-07 11:00"]    = true,
  ["2026-01-01 11:00"]    = false,    -- what follows stands in lists/holidays.txt
  ["2026-05-01 11:00"]    = false,
  ["2026-10-12 11:00"]    = false,
  ["2026-12-08 11:00"]    = false,
  ["2026-04-03 11:00"]    = false,
  ["2027-03-26 11:00"]    = false,
}

for at, open in pairs(times) do
  sesame.test("at " .. at) {
    at = at .. " Europe/Madrid",
    { knock = sequence, opens = open and "desktop", refuses = not open and { "desktop", reason = "when" } },
  }
end

sesame.test "four hours, and not beyond the evening" {
  at = "2026-11-23 14:30 Europe/Madrid",
  { knock = sequence, opens = "desktop", allows = { port = "tcp/3389", ttl = "4h" } },
  { at = "2026-11-23 18:31 Europe/Madrid", closes = { "desktop", reason = "expired" } },
  { at = "2026-11-23 18:45 Europe/Madrid", knock = sequence, opens = "desktop" },
  { at = "2026-11-23 18:59:59 Europe/Madrid" },
  { at = "2026-11-23 19:00:01 Europe/Madrid", closes = { "desktop", reason = "window_ended" } },
}

sesame.test "the office opens it at any time, for four hours" {
  at = "2026-11-29 22:00 Europe/Madrid",
  { knock = sequence, from = "192.0.2.255", opens = "desktop", allows = { ttl = "4h" } },
  { knock = sequence, from = "2001:db8:0f1c:ffff::9", opens = "desktop", allows = { ttl = "4h" } },
  { knock = sequence, from = "192.0.3.1", refuses = "desktop" },
  { knock = sequence, from = "2001:db8:0f1d::1", refuses = "desktop" },
}

sesame.test "without a clock nobody comes in from outside" {
  at = "2026-11-23 12:00 Europe/Madrid", synchronised = false,
  { knock = sequence, from = "203.0.113.9", refuses = { "desktop", reason = "clock" } },
  { knock = sequence, from = "192.0.2.20", opens = "desktop" },
}

-- Each knock counts: the others alone open nothing.
for i in ipairs(sequence) do
  local fewer = { unpack(sequence) }
  table.remove(fewer, i)
  sesame.test("without knock " .. i) { { knock = fewer, misses = i == 3 and "desktop" } }
end
