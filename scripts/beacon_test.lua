local function token(text) return { { "udp/62201", payload = "SESA" .. text } } end

for _, text in ipairs { "maple-otter-3168", "quiet-anvil-7702", "seven-larks-0459" } do
  sesame.test(text .. " opens once") {
    { knock = token(text), opens = "beacon", allows = { port = "tcp/8006", ttl = "5m" } },
    { knock = token(text), from = "198.51.100.7" },
    { wait = "3649d", closes = "beacon" },
    { knock = token(text) },
    { wait = "1d" },
    { knock = token(text), opens = "beacon" },    -- ten years later
  }
end

sesame.test "an unknown token opens nothing" {
  { knock = token "maple-otter-3169" },
  { knock = { { "udp/62201", payload = "maple-otter-3168" } } },
  { knock = { "udp/62201" } },
}

local function junk(payload)
  local packets = {}
  for i = 1, 25 do packets[i] = { "udp/62201", payload = payload } end
  return packets
end

-- Junk has the wrong length or the wrong beginning. It uses up nothing of the limit of its source,
-- which is twenty packets a second.
for name, payload in pairs { short = "SESAmaple", long = "SESAmaple-otter-3168x", other = ("x"):rep(20) } do
  sesame.test("junk does not shut the door: " .. name) {
    { knock = junk(payload), delay = "1ms" },
    { knock = token "maple-otter-3168", opens = "beacon" },
  }
end
