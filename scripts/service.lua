-- Lets a visitor reach a media server through a firewall that Sesame does not manage, by running
-- that firewall's own command.
--
-- When the door opens, `ufw` allows port 8096 to the source that knocked. When the time is over,
-- the undo of the command runs, even when the daemon was restarted meanwhile. It may run twice,
-- which is harmless: a rule that is gone cannot be deleted again. There is no shell in between:
-- {source} is always an address, and always one argument.
--
-- To make it yours: change the commands and the ports. With a port that Sesame guards itself,
-- `guards` is simpler: see ssh.lua.
-- To knock:  knock -d 200 HOST 4519:tcp 8204:udp 3127:tcp 6990:udp
-- To try it: sesame simulate -s scripts/service.lua --set stay=20m pcaps/service-opens.pcap.zst
-- To test it: sesame test -s scripts/service.lua

local stay = sesame.option "stay" { type = "duration", default = "4h", doc = "How long a visitor may stay." }

local invite = sesame.command {
  "/usr/sbin/ufw", "allow", "proto", "tcp", "from", "{source}", "to", "any", "port", "8096",
  undo    = { "/usr/sbin/ufw", "delete", "allow", "proto", "tcp", "from", "{source}", "to", "any", "port", "8096" },
  timeout = "5s",
}

sesame.door "media" {
  sequence = { "tcp/4519", "udp/8204", "tcp/3127", "udp/6990" },
  within   = "6s",
  on_open  = function(attempt)
    attempt:exec(invite, { ttl = stay })
    attempt:log("may stay for " .. stay)
  end,
}
