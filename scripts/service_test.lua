local sequence = { "tcp/4519", "udp/8204", "tcp/3127", "udp/6990" }

local function ufw(...)
  local argv = { "/usr/sbin/ufw", ... }
  for _, word in ipairs { "allow", "proto", "tcp", "from", "203.0.113.9", "to", "any", "port", "8096" } do
    argv[#argv + 1] = word
  end
  return argv
end

sesame.test "a visitor is invited for four hours" {
  from = "203.0.113.9",
  { knock = sequence, opens = "media", runs = { "invite", argv = ufw() }, logs = "may stay for 4h", allows = false },
  { wait = "239m" },
  { wait = "1m", closes = { "media", reason = "expired" }, runs = { "invite", undo = true, argv = ufw "delete" } },
}

sesame.test "or for as long as the option says" {
  options = { stay = "20m" },
  { knock = sequence, opens = "media", runs = "invite", logs = "may stay for 20m" },
  { wait = "19m" },
  { wait = "1m", closes = "media", runs = { "invite", undo = true } },
}

sesame.test "ufw does not work" {
  exits = { invite = 1 },
  { knock = sequence, opens = "media", fails = "invite", closes = { "media", reason = "failed" } },
}

sesame.test "knocks take 6 seconds at most" {
  { knock = sequence, delay = "1900ms", opens = "media" },
  { knock = sequence, from = "203.0.113.10", delay = "2100ms", misses = { "media", reason = "total_timeout" } },
}

-- Each knock counts: the others alone open nothing.
for i in ipairs(sequence) do
  local fewer = { unpack(sequence) }
  table.remove(fewer, i)
  sesame.test("without knock " .. i) { { knock = fewer, misses = i == 3 and "media" } }
end
