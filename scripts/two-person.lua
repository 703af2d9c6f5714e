-- Opens a key store when two people have knocked, each with a sequence of their own, within five
-- minutes. Whoever comes second opens it for both.
--
-- `sesame.completed "ana"` holds when somebody knocked the whole sequence of that door lately, from
-- whatever address. Nobody tells the script an address: `source = bob` gives access to the source
-- that Bob knocked from, as the engine saw it. So neither of the two can open it for a third.
--
-- To make it yours: change the names and the ports, and give each person their own sequence only.
-- To knock:  Ana: knock -d 200 HOST 24615:tcp 11272:udp 11180:tcp 21975:tcp
--            Bob: knock -d 200 HOST 12718:tcp 1657:udp 20200:tcp 9365:tcp
-- To try it: sesame simulate -s scripts/two-person.lua pcaps/two-person-opens.pcap
-- To test it: sesame test -s scripts/two-person.lua

local patience = sesame.option "patience" { type = "duration", default = "5m", doc = "How long the first of the two waits for the second." }

local ana = sesame.completed { "ana", within = patience }
local bob = sesame.completed { "bob", within = patience }

-- with makes the function of one door; other is the condition of the other person.
local function with(other, name)
  return function(attempt)
    if not attempt:holds(other) then return false, "waiting for " .. name end
    attempt:allow()
    attempt:allow { source = other }
  end
end

sesame.door "ana" {
  sequence = { "tcp/24615", "udp/11272", "tcp/11180", "tcp/21975" },
  guards   = "tcp/8200",
  on_open  = with(bob, "Bob"),
}

sesame.door "bob" {
  sequence = { "tcp/12718", "udp/1657", "tcp/20200", "tcp/9365" },
  guards   = "tcp/8200",
  on_open  = with(ana, "Ana"),
}
