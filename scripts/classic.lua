-- The pair that every port-knocking tutorial begins with: 7000, 8000, 9000 opens SSH, and 9000,
-- 8000, 7000 closes it again.
--
-- It is good for learning, and for moving from another knocking daemon. It is not good for
-- guarding: the ports ascend and there are no tripwires, so a plain port scan opens the door (sesame
-- simulate -s scripts/classic.lua pcaps/classic-scan.pcap shows it), three knocks are few, and
-- everybody knows them. `sesame check` warns of that; the comments that begin with sesame:allow
-- accept its findings.
--
-- To make it yours: start from ssh.lua instead, unless you want to close the door by hand.
-- To knock:  knock -d 200 HOST 7000 8000 9000 && ssh HOST; knock -d 200 HOST 9000 8000 7000
-- To try it: sesame simulate -s scripts/classic.lua pcaps/classic-opens.pcapng.gz
-- To test it: sesame test -s scripts/classic.lua

-- sesame:allow ascending the tutorials' sequence, kept for learning
-- sesame:allow short the same
-- sesame:allow no-tripwires the tutorials have none
sesame.door "classic-open" {
  sequence  = { 7000, 8000, 9000 },  -- a bare number is a TCP port
  within    = "5s",
  tripwires = 0,                     -- leave this line out in a door that guards something
  guards    = "tcp/22",
  ttl       = "1h",                  -- should the second sequence never come
}

-- sesame:allow descending it only shuts
-- sesame:allow short it only shuts
-- sesame:allow no-tripwires it only shuts
sesame.door "classic-close" {
  sequence  = { 9000, 8000, 7000 },
  within    = "5s",
  tripwires = 0,
  on_open   = function(attempt)
    attempt:close "classic-open"     -- what this source was granted there, nobody else's
  end,
}
