-- docs/doors.md shows what check prints of this script.
-- The ports go up, which check warns of. This is on purpose.
sesame.door "ssh" {
  sequence = { "tcp/7001", "tcp/7421", "tcp/8020", "tcp/9133" },
  within   = "8s",
  guards   = "tcp/22",
  ttl      = "30s",
}
