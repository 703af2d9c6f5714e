-- Opens SSH for each person of a list, by a sequence of their own, from their countries, and as long
-- as their contract lasts.
--
-- lib/users.lua has the people, and this script makes one door for each. The transcript then says
-- who knocked, and taking one person out changes nothing for the others. A condition that a loop
-- makes needs a `name`: a refusal says whose it was.
--
-- To make it yours: edit lib/users.lua.
-- To knock:  Ana: knock -d 200 HOST 7994:tcp 14162:tcp 5461:udp 14985:tcp
-- To try it: sesame simulate -s scripts/users.lua --fact "203.0.113.9 country=ES" pcaps/users-opens.pcap
-- To test it: sesame test -s scripts/users.lua

for _, user in ipairs(require "users") do
  local when = { sesame.country { name = user.name .. "'s countries", unpack(user.countries) } }
  if user.until_date then
    when[#when + 1] = sesame.window {
      name = user.name .. "'s contract", tz = "Europe/Madrid", only = { "2026-01-01 to " .. user.until_date },
    }
  end
  sesame.door("ssh-" .. user.name) {
    sequence = user.knocks,
    guards   = "tcp/22",
    when     = when,
  }
end
