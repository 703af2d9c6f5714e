-- The people who may reach SSH, for users.lua. Both countries and knocks are their own; until_date is
-- the last day, and a person without one may always come.
return {
  { name = "ana", knocks = { "tcp/7994", "tcp/14162", "udp/5461", "tcp/14985" }, countries = { "ES" } },
  { name = "bob", knocks = { "tcp/24452", "udp/28080", "tcp/17591", "tcp/11566" }, countries = { "PT", "ES" },
    until_date = "2027-03-31" },
}
