local forum = { "tcp/13739", "tcp/18602", "udp/18147", "tcp/5709" }
local web   = { "tcp/14447", "udp/23538", "tcp/2983", "tcp/2956" }

local function visitor(country) return { ["203.0.113.9"] = { country = country } } end

-- The list of the script is a file of its own. This one is written once more: a test that reads
-- the same file would not find that a country is missing there.
local union = "AT BE BG CY CZ DE DK EE ES FI FR GR HR HU IE IT LT LU LV MT NL PL PT RO SE SI SK"

for country in union:gmatch "%u%u" do
  sesame.test("in the Union: " .. country) {
    facts = visitor(country),
    { knock = forum, opens = "forum", allows = { port = "tcp/8448" } },
  }
end

for _, country in ipairs { "CH", "GB", "NO", "UA" } do
  sesame.test("in Europe, and not in the Union: " .. country) {
    facts = visitor(country),
    { knock = forum, refuses = { "forum", condition = "union" } },
    { knock = web, opens = "web", allows = { port = "tcp/443" } },
  }
end

sesame.test "neither in the Union nor in Europe" {
  facts = visitor "BR",
  { knock = forum, refuses = { "forum", condition = "union" } },
  { knock = web, refuses = { "web", condition = "europe" } },
}

sesame.test "nobody knows where" {
  { knock = forum, refuses = { "forum", reason = "no_data" } },
  { knock = web, refuses = { "web", reason = "no_data" } },
}

-- Each knock counts: the others alone open nothing.
for door, sequence in pairs { forum = forum, web = web } do
  for i in ipairs(sequence) do
    local fewer = { unpack(sequence) }
    table.remove(fewer, i)
    sesame.test(door .. " without knock " .. i) { { knock = fewer, misses = i == 3 and door } }
  end
end
