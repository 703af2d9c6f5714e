-- Opens a photo album for sources in a list that is a file of its own.
--
-- Sesame watches the file, and uses the new list when it changes. A line that is no network leaves
-- the old list in force, and `sesame status` names the line. The list may have a million networks,
-- so a list that somebody else publishes works as well. Several files: file = { "a", "b" }.
--
-- To make it yours: write your networks into lists/friends.netset, and change the ports.
--            For the reverse, everybody but a list: when = sesame.none { list }
-- To knock:  knock -d 200 HOST 27673:tcp 7444:udp 9513:udp 25654:tcp
-- To try it: sesame simulate -s scripts/allow-list.lua pcaps/allow-list-opens.pcap
-- To test it: sesame test -s scripts/allow-list.lua

local friends = sesame.networks { file = "lists/friends.netset" }

-- sesame:allow no-way-back SSH is the way back, see ssh.lua
sesame.door "photos" {
  sequence = { "tcp/27673", "udp/7444", "udp/9513", "tcp/25654" },
  guards   = "tcp/2283",
  ttl      = "2h",
  when     = friends,
}
