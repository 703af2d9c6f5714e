local ana = { "tcp/24615", "udp/11272", "tcp/11180", "tcp/21975" }
local bob = { "tcp/12718", "udp/1657", "tcp/20200", "tcp/9365" }

sesame.test "Bob comes second, and opens for both" {
  { knock = ana, from = "203.0.113.9", refuses = { "ana", reason = "when", detail = "waiting for Bob" } },
  { wait = "298s" },
  { knock = bob, from = "198.51.100.7", opens = "bob",
    allows = { { port = "tcp/8200", source = "198.51.100.7" }, { port = "tcp/8200", source = "203.0.113.9" } } },
}

sesame.test "Ana comes second, and opens for both" {
  { knock = bob, from = "198.51.100.7", refuses = { "bob", detail = "waiting for Ana" } },
  { knock = ana, from = "203.0.113.9", opens = "ana",
    allows = { { port = "tcp/8200", source = "198.51.100.7" }, { port = "tcp/8200", source = "203.0.113.9" } } },
}

for _, door in ipairs { { first = ana, second = bob, name = "bob", waits = "ana" }, { first = bob, second = ana, name = "ana", waits = "bob" } } do
  sesame.test(door.name .. " is too late") {
    { knock = door.first, from = "203.0.113.9", refuses = door.waits },
    { wait = "5m" },
    { knock = door.second, from = "198.51.100.7", refuses = door.name },
  }
end

sesame.test "the option says how long one waits" {
  options = { patience = "1m" },
  { knock = ana, from = "203.0.113.9", refuses = "ana" },
  { wait = "1m" },
  { knock = bob, from = "198.51.100.7", refuses = "bob" },
}

sesame.test "one of them alone opens nothing" {
  { knock = ana, from = "203.0.113.9", refuses = "ana" },
  { knock = ana, from = "198.51.100.7", refuses = "ana" },
}

-- Each knock counts: the others alone open nothing.
for door, sequence in pairs { ana = ana, bob = bob } do
  for i in ipairs(sequence) do
    local fewer = { unpack(sequence) }
    table.remove(fewer, i)
    sesame.test(door .. " without knock " .. i) { { knock = fewer, misses = i == 3 and door } }
  end
end
