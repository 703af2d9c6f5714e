local token = "SESAmaple-otter-3168"

sesame.test "a token opens once" {
  from = "203.0.113.9", options = {},
  { knock = { { "udp/62201", payload = token } }, opens = "beacon", runs = "audit" },
  { knock = { { "udp/62201", payload = token } }, refuses = { "beacon", detail = "used" } },
  { knock = { { "udp/62201", payload = "x" } } },            -- no key: nothing opens, is refused or fails
}
sesame.test "audit is broken" {
  exits = { audit = 1 },
  { knock = { { "udp/62201", payload = token } }, opens = "beacon", fails = "audit" },
}
sesame.test "from the field" {
  { replay = "captures/beacon-opens.pcap", min_knocks = 4,
    opens = { { "beacon", source = "203.0.113.9", times = 2 } }, refuses = { "beacon", detail = "used", times = 2 },
    golden = "captures/beacon-opens.jsonl" },
}
