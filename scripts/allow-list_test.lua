local sequence = { "tcp/27673", "udp/7444", "udp/9513", "tcp/25654" }

sesame.test "friends see the photos for two hours" {
  { knock = sequence, from = "203.0.113.255", opens = "photos", allows = { port = "tcp/2283", ttl = "2h" } },
  { knock = sequence, from = "2001:db8:9:ffff::1", opens = "photos" },
}

sesame.test "a range in the list has both its ends" {
  { knock = sequence, from = "198.51.100.20", opens = "photos" },
  { knock = sequence, from = "198.51.100.29", opens = "photos" },
  { knock = sequence, from = "198.51.100.19", refuses = { "photos", condition = "friends" } },
  { knock = sequence, from = "198.51.100.30", refuses = { "photos", condition = "friends" } },
}

sesame.test "others do not" {
  { knock = sequence, from = "203.0.114.1", refuses = { "photos", reason = "when", condition = "friends" } },
  { knock = sequence, from = "2001:db8:a::1", refuses = { "photos", condition = "friends" } },
}

-- Each knock counts: the others alone open nothing.
for i in ipairs(sequence) do
  local fewer = { unpack(sequence) }
  table.remove(fewer, i)
  sesame.test("without knock " .. i) { { knock = fewer, misses = i == 3 and "photos" } }
end
