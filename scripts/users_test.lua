local ana = { "tcp/7994", "tcp/14162", "udp/5461", "tcp/14985" }
local bob = { "tcp/24452", "udp/28080", "tcp/17591", "tcp/11566" }

sesame.test "each from their countries" {
  at = "2026-11-23 09:00 UTC",
  facts = {
    ["203.0.113.9"]  = { country = "ES" },
    ["203.0.113.10"] = { country = "PT" },
    ["198.51.100.7"] = { country = "FR" },
  },
  { knock = ana, from = "203.0.113.9",  opens = "ssh-ana", allows = { port = "tcp/22" } },
  { knock = ana, from = "203.0.113.10", refuses = { "ssh-ana", condition = "ana's countries" } },
  { knock = bob, from = "203.0.113.9",  opens = "ssh-bob", allows = { port = "tcp/22" } },
  { knock = bob, from = "203.0.113.10", opens = "ssh-bob" },
  { knock = bob, from = "198.51.100.7", refuses = { "ssh-bob", condition = "bob's countries" } },
}

-- Times in Madrid, and whether Bob has a contract then.
for at, has in pairs {
  ["2025-12-31 23:59"] = false,
  ["2026-01-01 00:01"] = true,
  ["2027-03-31 23:59"] = true,
  ["2027-04-01 00:01"] = false,
} do
  sesame.test("Bob at " .. at) {
    at = at .. " Europe/Madrid", facts = { ["203.0.113.9"] = { country = "ES" } },
    { knock = bob, opens = has and "ssh-bob", refuses = not has and { "ssh-bob", condition = "bob's contract" } },
  }
end

sesame.test "Ana comes at any time" {
  at = "2040-01-01 03:00 UTC", facts = { ["203.0.113.9"] = { country = "ES" } },
  { knock = ana, opens = "ssh-ana" },
}

-- Each knock counts: the others alone open nothing.
for door, sequence in pairs { ["ssh-ana"] = ana, ["ssh-bob"] = bob } do
  for i in ipairs(sequence) do
    local fewer = { unpack(sequence) }
    table.remove(fewer, i)
    sesame.test(door .. " without knock " .. i) { { knock = fewer, misses = i == 3 and door } }
  end
end
