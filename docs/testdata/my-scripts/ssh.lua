-- docs/doors.md shows what check prints of this script.
-- Two knocks are side by side, which check warns of. This is on purpose.
sesame.door "ssh" {
  sequence = { "tcp/7421", "tcp/9133", "tcp/9134", "tcp/2904" },
  within   = "8s",
  guards   = "tcp/22",
  ttl      = "30s",
}
