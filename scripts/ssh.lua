-- Opens SSH for 30 seconds to whoever knocks on four ports in order.
--
-- A door that needs no functions: Sesame matches it and grants it without running Lua, so nothing in it can fail at night.
-- Port 22 is shut to everyone else. The 30 seconds are for logging in; a session that stands goes on.
--
-- To make it yours: choose other ports, at random and not in ascending order, and keep them to yourself. If those who knock send
-- this machine nothing else meanwhile, add strict = true: then somebody who sweeps all ports several times in a hurry stays outside too.
-- To knock:  knock -d 200 HOST 7421:tcp 9133:udp 2904:tcp 6117:tcp && ssh HOST
-- To try it: sesame simulate -s scripts/ssh.lua pcaps/ssh-opens.pcap

sesame.door "ssh" {
  sequence = { "tcp/7421", "udp/9133", "tcp/2904", "tcp/6117" },
  within   = "8s",      -- from the first knock to the last
  guards   = "tcp/22",
  ttl      = "30s",
}
