-- 0s 203.0.113.9 tcp/1001
-- 100ms 203.0.113.9 udp/1003
sesame.test "a door by its name" {
  at = "2026-03-02 12:00:00 UTC",
  { knock = "short", opens = "short", allows = { port = "tcp/22", ttl = "3s" } },
  { wait = "3s", closes = { "short", reason = "expired" } },
}

-- 0s 192.0.2.44 tcp/1001
-- 10ms 192.0.2.44 tcp/9
-- 250ms 192.0.2.44 udp/1003
sesame.test "another pace, and a packet of nobody's door" {
  at = "2026-03-02 12:00:00 UTC",
  from = "192.0.2.44",
  { knock = "short", delay = "250ms", opens = "short", allows = { port = "tcp/22", ttl = "3s" } },
  { wait = "3s", closes = { "short", reason = "expired" } },
}

-- 0s 203.0.113.9 tcp/1001
-- 100ms 203.0.113.9 udp/1003
-- 10s 2001:db8:9::9 tcp/1001
-- 10.1s 2001:db8:9::9 udp/1003
sesame.test "two sources" {
  at = "2026-03-02 12:00:00 UTC",
  { knock = "short", from = "203.0.113.9", opens = "short", allows = { port = "tcp/22", ttl = "3s" } },
  { wait = "9.9s", closes = { "short", source = "203.0.113.9", reason = "expired" } },
  { knock = "short", from = "2001:db8:9::9", opens = "short", allows = { port = "tcp/22", ttl = "3s" } },
  { wait = "3s", closes = { "short", source = "2001:db8:9::9", reason = "expired" } },
}

-- 0s 203.0.113.9 tcp/1001
-- 300ms 203.0.113.9 tcp/1005
-- 900ms 203.0.113.9 tcp/1007 syn,ack
-- 1s 203.0.113.9 tcp/1007
-- 9s 203.0.113.9 udp/1003
sesame.test "wrong and late knocks" {
  at = "2026-03-02 12:00:00 UTC",
  { knock = { "tcp/1001", { "tcp/1005", delay = "700ms" }, "tcp/1007" }, delay = "300ms", wait = "8s", misses = { "long", reason = "out_of_order" } },
  { knock = { "udp/1003" } },
}

-- 0s 203.0.113.9 udp/1009 data=abc
-- 20s 203.0.113.9 udp/1009 data=bad
-- 40s 203.0.113.9 udp/1009 data="\1
sesame.test "payloads, commands and their undo" {
  at = "2026-03-02 12:00:00 UTC",
  { knock = { { "udp/1009", payload = "abc" } }, opens = "beacon", allows = { port = "tcp/82", ttl = "4s" }, runs = { "audit", "start" } },
  { wait = "20s", closes = { "beacon", reason = "expired", times = 2 }, runs = { "start", undo = true } },
  { knock = { { "udp/1009", payload = "bad" } }, wait = "20s", refuses = "beacon" },
  { knock = { { "udp/1009", payload = "\"\\1" } }, opens = "beacon", allows = { port = "tcp/82", ttl = "4s" }, runs = { "audit", "start" } },
  { wait = "5s", closes = { "beacon", reason = "expired", times = 2 }, runs = { "start", undo = true } },
}

-- 0s 203.0.113.9 udp/1009 data=err
-- Añadido
sesame.test "an error of a function" {
  at = "2026-03-02 12:00:00 UTC",
  { knock = { { "udp/1009", payload = "err" } }, refuses = { "beacon", reason = "script_error" } },
}

-- 0s 203.0.113.9 udp/1009 data=bad
-- 1ms 203.0.113.9 udp/1009 data=bad
-- 2ms 203.0.113.9 udp/1009 data=abc
-- 2ms 203.0.113.9 udp/1009 data=bad
sesame.test "the same twice in a step" {
  at = "2026-03-02 12:00:00 UTC",
  { knock = { { "udp/1009", payload = "bad", delay = "1ms" } }, wait = "1ms", refuses = "beacon" },
  { knock = { { "udp/1009", payload = "bad", delay = "1ms" } }, wait = "1ms", refuses = "beacon" },
  { knock = { { "udp/1009", payload = "abc" } }, opens = "beacon", allows = { port = "tcp/82", ttl = "4s" }, runs = { "audit", "start" } },
  { knock = { { "udp/1009", payload = "bad" } }, refuses = { "beacon", reason = "limit" } },
  { wait = "4.9s", closes = { "beacon", reason = "expired", times = 2 }, runs = { "start", undo = true } },
}

-- 0s 198.51.100.7 tcp/1001
-- 100ms 198.51.100.7 tcp/1005
-- 200ms 198.51.100.7 udp/1003
-- 300ms 198.51.100.7 tcp/1007
-- from x.pcap
sesame.test "facts, a comment and hosts" {
  at = "2026-03-02 12:00:00 UTC",
  from = "198.51.100.7",
  host = { "192.0.2.1" },
  options = { ["a-b"] = "1", ["end"] = "x\"\\\010", ports = { "tcp/1", "tcp/2" }, ttl = "30s" },
  facts = {
    ["198.51.100.7"] = { country = "FR" },
  },
  { knock = { "tcp/1001", "tcp/1005", "udp/1003" }, opens = "short", allows = { port = "tcp/22", ttl = "3s" } },
  { knock = { "tcp/1007" }, refuses = { "long", condition = "spain" } },
  { wait = "2.9s", closes = { "short", reason = "expired" } },
}

-- 0s 203.0.113.77 tcp/1001
-- 100ms 203.0.113.77 udp/1003
-- 20s 192.0.2.44 tcp/1001
-- 20.1s 192.0.2.44 tcp/1005
-- 20.2s 192.0.2.44 udp/1003
-- 20.3s 192.0.2.44 tcp/1007
-- 40s 198.51.100.7 tcp/1001
-- 40.1s 198.51.100.7 tcp/1005
-- 40.2s 198.51.100.7 udp/1003
-- 40.3s 198.51.100.7 tcp/1007
sesame.test "replaced, but for one that a list has" {
  at = "2026-03-02 12:00:00 UTC",
  facts = {
    ["203.0.113.3"] = { country = "FR" },
  },
  { knock = "short", from = "203.0.113.1", opens = "short", allows = { port = "tcp/22", ttl = "3s" } },
  { wait = "19.9s", closes = { "short", source = "203.0.113.1", reason = "expired" } },
  { knock = { "tcp/1001", "tcp/1005", "udp/1003" }, from = "192.0.2.44", opens = "short", allows = { port = "tcp/22", ttl = "3s" } },
  { knock = { "tcp/1007" }, from = "192.0.2.44", opens = "long", allows = { port = "tcp/80", ttl = "10s" } },
  { wait = "19.7s", closes = { { "short", source = "192.0.2.44", reason = "expired" }, { "long", source = "192.0.2.44", reason = "expired" } } },
  { knock = { "tcp/1001", "tcp/1005", "udp/1003" }, from = "203.0.113.3", opens = "short", allows = { port = "tcp/22", ttl = "3s" } },
  { knock = { "tcp/1007" }, from = "203.0.113.3", refuses = { "long", condition = "spain" } },
  { wait = "2.9s", closes = { "short", source = "203.0.113.3", reason = "expired" } },
}
-- stayed: 192.0.2.44

