-- Opens a web console to everybody who sends one datagram with a token from a list, each token
-- once.
--
-- It takes one packet instead of a sequence, for clients that can send a datagram and nothing
-- else. The payload is the word SESA and sixteen characters. A token is not encrypted, so an
-- eavesdropper learns it, but it is used up by then. An attacker who can stop the datagram on its
-- way can use the token instead: do not rely on this door on such a network.
--
-- Sesame tests `length` and `prefix` first. A datagram that fails them uses up nothing, so junk
-- does not shut the door. The others have the limit of every listener, twenty a second from each
-- address. Somebody with many addresses can try more often, but nobody finds sixteen random
-- characters by guessing. Each token is remembered as used for ten years.
--
-- To make it yours: write tokens of your own, of sixteen characters each:
--            head -c 12 /dev/urandom | base64
-- To knock:  printf 'SESAmaple-otter-3168' > /dev/udp/HOST/62201
-- To try it: sesame simulate -s scripts/beacon.lua pcaps/beacon-opens.pcap
-- To test it: sesame test -s scripts/beacon.lua

sesame.script "beacon"    -- used tokens stay used when this file gets another name

local tokens = {
  ["maple-otter-3168"] = true,
  ["quiet-anvil-7702"] = true,
  ["seven-larks-0459"] = true,
}

sesame.listen "beacon" {
  on       = "udp/62201",
  length   = 20,
  prefix   = "SESA",
  guards   = "tcp/8006",
  ttl      = "5m",
  on_knock = function(knock)
    local token = knock.payload:sub(5)
    if tokens[token] and sesame.store:once(token, "3650d") then
      knock:allow()
    end
  end,
}
