-- Opens SSH for 30 seconds to everybody who knocks on four ports in order.
--
-- This door has no functions: Sesame matches it and grants access without running Lua. Port 22 is
-- closed to all others. The 30 seconds are for logging in; a session that exists continues.
--
-- Somebody who scans all ports up or down stays outside, however often: some ports around the knocks
-- are tripwires, and a packet to one ends the attempt. `sesame check --guess` prints how rarely a scan
-- in random order opens the door.
--
-- To make it yours: choose other ports, at random and far apart, and keep them secret.
-- To knock:  knock -d 200 HOST 7421:tcp 9133:udp 2904:tcp 6117:tcp && ssh HOST
-- To try it: sesame simulate -s scripts/ssh.lua pcaps/ssh-opens.pcap
-- To test it: sesame test -s scripts/ssh.lua

sesame.door "ssh" {
  sequence = { "tcp/7421", "udp/9133", "tcp/2904", "tcp/6117" },
  within   = "8s",      -- from the first knock to the last
  guards   = "tcp/22",
  ttl      = "30s",
}
