-- Opens a web console to whoever sends one datagram with a token from a list, each token once.
--
-- One packet instead of a sequence, for clients that can send a datagram and nothing else. The payload is the word SESA and
-- sixteen letters. A token travels in the clear, so whoever sees it pass knows it, but it is used up by then. Whoever stops the
-- datagram on its way can use it instead: on a network that you fear that much, do not rely on this door.
--
-- `limit` is there because a single packet can be tried often: sixteen letters at twenty tries a second are still far
-- out of reach. Each token is remembered as used for ten years.
--
-- To make it yours: write down tokens of your own. Sixteen letters each: head -c 12 /dev/urandom | base64
-- To knock:  printf 'SESAmaple-otter-3168' > /dev/udp/HOST/62201
-- To try it: sesame simulate -s scripts/beacon.lua pcaps/beacon-opens.pcap

local tokens = {
  ["maple-otter-3168"] = true,
  ["quiet-anvil-7702"] = true,
  ["seven-larks-0459"] = true,
}

sesame.listen "beacon" {
  on       = "udp/62201",
  limit    = "20/s",
  guards   = "tcp/8006",
  ttl      = "5m",
  on_knock = function(knock)
    if #knock.payload ~= 20 then return end
    local word, token = knock.payload:unpack("c4 c16")
    if word == "SESA" and tokens[token] and sesame.store:once(token, "3650d") then
      knock:allow()
    end
  end,
}
