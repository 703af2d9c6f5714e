sesame.test "7000, 8000, 9000 opens, and the reverse closes" {
  { knock = { "tcp/7000", "tcp/8000", "tcp/9000" }, opens = "classic-open", allows = { port = "tcp/22", ttl = "1h" } },
  { knock = { "tcp/9000", "tcp/8000", "tcp/7000" }, opens = "classic-close",
    closes = { "classic-open", reason = "closed_by_door" } },
}

sesame.test "it closes for the source alone that knocks" {
  { knock = { "tcp/7000", "tcp/8000", "tcp/9000" }, from = "203.0.113.9", opens = "classic-open" },
  { knock = { "tcp/9000", "tcp/8000", "tcp/7000" }, from = "203.0.113.10", opens = "classic-close" },
  { wait = "1h", closes = { "classic-open", reason = "expired" } },
}

sesame.test "five seconds are the limit" {
  { knock = { "tcp/7000", "tcp/8000", "tcp/9000" }, delay = "2400ms", opens = "classic-open" },
  { knock = { "tcp/9000", "tcp/8000", "tcp/7000" }, delay = "2400ms", opens = "classic-close", closes = "classic-open" },
  { knock = { "tcp/7000", "tcp/8000", "tcp/9000" }, delay = "2600ms", misses = { "classic-open", reason = "total_timeout" } },
  { wait = "10s" },
  { knock = { "tcp/9000", "tcp/8000", "tcp/7000" }, delay = "2600ms", misses = { "classic-close", reason = "total_timeout" } },
}

-- This is what is wrong with ports that ascend and no tripwires.
sesame.test "a plain scan opens the door" {
  { scan = "tcp/1-10000", order = "up", delay = "1ms", opens = "classic-open" },
  { scan = "tcp/1-10000", order = "down", delay = "1ms", opens = "classic-close", closes = "classic-open" },
}
