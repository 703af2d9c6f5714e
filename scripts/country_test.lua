local sequence = { "udp/14201", "tcp/18087", "udp/27499", "tcp/6483" }

sesame.test "Spain and Portugal" {
  facts = {
    ["203.0.113.9"]   = { country = "ES" },
    ["203.0.113.10"]  = { country = "PT" },
    ["198.51.100.7"]  = { country = "FR" },
    ["198.51.100.99"] = {},                        -- the database has nothing
  },
  { knock = sequence, from = "203.0.113.9", opens = "mail", allows = { port = "tcp/993", ttl = "1h" } },
  { knock = sequence, from = "203.0.113.10", opens = "mail" },
  { knock = sequence, from = "198.51.100.7", refuses = { "mail", reason = "when", condition = "iberia" } },
  { knock = sequence, from = "198.51.100.99", refuses = { "mail", reason = "no_data", condition = "iberia" } },
}

sesame.test "the own network, of which no database knows" {
  { knock = sequence, from = "192.168.255.20", opens = "mail" },
  { knock = sequence, from = "fdff::20", opens = "mail" },
  { knock = sequence, from = "192.169.0.1", refuses = { "mail", reason = "no_data" } },
}

-- Each knock counts: the others alone open nothing.
for i in ipairs(sequence) do
  local fewer = { unpack(sequence) }
  table.remove(fewer, i)
  sesame.test("without knock " .. i) { { knock = fewer, misses = i == 3 and "mail" } }
end
