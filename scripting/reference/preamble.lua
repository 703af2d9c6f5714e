---@meta sesame
-- What scripts of Sesame can name, for the Lua language server. Made by "sesame init": do not edit
-- this file, "sesame init --editor" writes it anew. Sesame does not run it.

--- A duration such as "90s", "1m30s", "2h" or "7d".
---@alias sesame.duration string

--- A port such as "tcp/22" or "udp/53", or a number, which means TCP.
---@alias sesame.port string|integer

--- A value that a store, a log line or an option can have.
---@alias sesame.value string|number|boolean

--- A function that decides: true, or false and a reason.
---@alias sesame.decision fun(attempt: sesame.attempt): boolean?, string?

--- A knock with TCP flags of its own: `{ "tcp/7000", flags = "syn,!ack" }`.
---@class sesame.flagged
---@field [1] sesame.port
---@field flags string

--- Dates, and files that have one in each line.
---@class sesame.dates
---@field [integer] string
---@field file? string|string[]

--- What must hold for a door to open. `sesame.window`, `sesame.country` and others make it.
---@class sesame.condition

--- A program that functions may run: see `attempt:exec`.
---@class sesame.command

--- A date with the time of day.
---@class sesame.date
---@field year integer
---@field month integer 1 to 12
---@field day integer 1 to 31
---@field hour integer 0 to 23
---@field min integer 0 to 59
---@field sec integer 0 to 59
---@field wday integer 1 is Sunday
---@field yday integer 1 to 366
---@field isdst boolean true in summer time

--- Reads binary data with the formats of Lua 5.3. The data come first.
---@param data string
---@param format string
---@param position? integer
---@return any ...
function string.unpack(data, format, position) end

