package scripting

import (
	"github.com/yuin/gopher-lua"

	"sesame/scripting/condition"
)

// An Object is something that scripts see: the table sesame, or what a function
// that reacts is given.
type Object struct {
	Name, Doc string
	Members   []Member
}

// A Member is one name of an object: a field, or a function.
type Member struct {
	Name    string
	Type    string // of a field, its type; of a function, how it is written behind its name
	Doc     string // one sentence
	Example string // "" for a field
	Options []Option

	// One of these is set.
	function func(*script, *lua.LState) int // of sesame
	method   func(*object, *lua.LState) int // of what functions are given
	field    func(*object) lua.LValue
}

// Callable reports whether the member is a function.
func (m Member) Callable() bool { return m.field == nil }

// API returns all that scripts can name beside the libraries of Lua. Scripts get
// what it says and nothing else: registration, checks and messages read it.
func API() []Object {
	return []Object{
		{"sesame", "The one root of the API.", sesameMembers()},
		{"attempt", "What when, on_stage, on_open and on_miss are given: one source's progress in one door.", attemptMembers()},
		{"knock", "What on_knock is given: one packet that a listener heard.", knockMembers()},
		{"grant", "What on_close is given: access that ended.", grantMembers()},
		{"timer", "What a sesame.handler function is given: delayed work that is due.", timerMembers()},
		{"store", "Values that outlive the function: numbers, booleans and strings of up to 1 KiB, under keys of up to 256 bytes.", storeMembers()},
	}
}

func sesameMembers() []Member {
	return []Member{
		{Name: "door", Type: `"name" { options }`, Doc: "Registers a named sequence and what happens when somebody knocks it.",
			Example: `sesame.door "ssh" { sequence = { "tcp/7421", "udp/9133", "tcp/2904" }, guards = "tcp/22" }`,
			Options: documented(doorOptions()), function: named("door", registerDoor)},
		{Name: "listen", Type: `"name" { options }`, Doc: "Registers a function that is called with each packet to a port.",
			Example: `sesame.listen "beacon" { on = "udp/62201", on_knock = function(knock) knock:log(knock.payload) end }`,
			Options: documented(listenOptions()), function: named("listen", registerListen)},
		conditionMember(condition.Window()),
		conditionMember(condition.Networks()),
		conditionMember(condition.Any()),
		{Name: "command", Type: "{ program, argument, ..., options }", Doc: "Declares a program that functions may run, with its arguments; {source}, {port}, {door} and choices are filled in.",
			Example: `local audit = sesame.command { "/usr/local/bin/audit", "{source}", timeout = "5s" }`,
			Options: documented(commandOptions()), function: registerCommand},
		{Name: "option", Type: `"name" { options }`, Doc: "Declares a setting that is given from outside, and returns its value.",
			Example: `local ttl = sesame.option "ttl" { type = "duration", default = "30s" }`,
			Options: documented(optionOptions()), function: named("option", registerOption)},
		{Name: "handler", Type: `("name", function(timer) ... end)`, Doc: "Registers the function that delayed work of this script calls.",
			Example: `sesame.handler("remind", function(timer) timer:log("still open for " .. timer.source) end)`, function: registerTimer},
		{Name: "policy", Type: `"sesame" or "knockd"`, Doc: "Names the matching rules of this file's doors, at its head; \"sesame\" is the default.",
			Example: `sesame.policy "sesame"`, function: registerPolicy},
		{Name: "knockd", Type: `"path"`, Doc: "Registers the doors of a knockd.conf, under the policy \"knockd\"; its section [options] is for knockd alone.",
			Example: `sesame.knockd "/etc/knockd.conf"`, function: registerKnockd},
		{Name: "store", Type: "store", Doc: "The values that all sources share, for this script alone; for functions that react.",
			field: func(o *object) lua.LValue { return o.call.store(false) }},
	}
}

func attemptMembers() []Member {
	return append([]Member{
		{Name: "stage", Type: "number", Doc: "How many knocks are done.", field: (*object).stage},
		{Name: "stages", Type: "number", Doc: "How many knocks the sequence has.", field: (*object).stages},
		{Name: "reason", Type: "string or nil", Doc: "Why the attempt ended, in on_miss: wrong_port, out_of_order, step_timeout, total_timeout, reload, used, end_of_capture.", field: (*object).reason},
		{Name: "port", Type: "string or nil", Doc: `The port of the knock at hand, such as "tcp/7000"; nil when time alone led here.`, field: (*object).port},
		{Name: "payload", Type: "string", Doc: "What the packet at hand carries, up to 2,048 bytes.", field: (*object).payload},
		allowMember("attempt"),
	}, commonMembers("attempt")...)
}

func knockMembers() []Member {
	return append([]Member{
		{Name: "port", Type: "string", Doc: `The port that the packet was sent to, such as "udp/62201".`, field: (*object).port},
		{Name: "payload", Type: "string", Doc: "What the packet carries, up to 2,048 bytes.", field: (*object).payload},
		allowMember("knock"),
	}, commonMembers("knock")...)
}

func grantMembers() []Member {
	return append([]Member{
		{Name: "id", Type: "number", Doc: "The number that the transcript gives it.", field: (*object).grantID},
		{Name: "port", Type: "string or nil", Doc: `The port that was open, such as "tcp/22"; nil for a command.`, field: (*object).grantPort},
		{Name: "reason", Type: "string", Doc: "Why it ended: expired, revoked, closed_by_door, replaced, shutdown, failed.", field: (*object).reason},
	}, commonMembers("grant")...)
}

func timerMembers() []Member {
	return append([]Member{
		{Name: "name", Type: "string", Doc: "The name that its handler is registered under.", field: (*object).timerName},
		{Name: "value", Type: "string, number, boolean or nil", Doc: "What after was given.", field: (*object).timerValue},
	}, commonMembers("timer")...)
}

// commonMembers are those of all that functions are given.
func commonMembers(of string) []Member {
	return []Member{
		{Name: "source", Type: "string or nil", Doc: "The address that knocked; of a grant, the address or network that had it; nil for work without one.", field: (*object).source},
		{Name: "family", Type: `"ipv4", "ipv6" or nil`, Doc: "The kind of address that source is.", field: (*object).family},
		{Name: "door", Type: "string or nil", Doc: "The name of the door; nil when it is gone.", field: (*object).door},
		{Name: "time", Type: "number", Doc: "The time of day, in seconds since 1970 in UTC.", field: (*object).time},
		{Name: "store", Type: "store", Doc: "The values of this source, for this script alone.", field: func(o *object) lua.LValue { return o.call.store(true) }},
		{Name: "exec", Type: "(command, { options })", Doc: "Runs a declared command; choices and a port are given by name.",
			Example: of + `:exec(audit, { level = "high" })`, Options: documented(execOptions()), method: (*object).exec},
		{Name: "close", Type: `"door"`, Doc: "Ends the grants that this source has from a door.",
			Example: of + `:close "ssh"`, method: (*object).close},
		{Name: "log", Type: "(text, ...)", Doc: "Writes a line for people: strings, numbers and booleans, with a space between them.",
			Example: of + `:log("hello", ` + of + `.source)`, method: (*object).log},
		{Name: "after", Type: `(duration, "name", value)`, Doc: "Calls the handler of that name later, after a second or more, across reloads; value is a string, a number, a boolean or nothing.",
			Example: of + `:after("10m", "remind")`, method: (*object).after},
	}
}

func allowMember(of string) Member {
	return Member{Name: "allow", Type: "() or { options }", Doc: "Lets the source reach the door's guards, or the ports named; in on_open and on_knock alone.",
		Example: of + `:allow { port = "tcp/443", ttl = "2h" }`, Options: documented(allowOptions()), method: (*object).allow}
}

func storeMembers() []Member {
	return []Member{
		{Name: "get", Type: "(key)", Doc: "Returns the value of a key, or nil.",
			Example: `attempt.store:get("opens")`, method: (*object).storeGet},
		{Name: "set", Type: "(key, value, ttl)", Doc: "Keeps a value, for a while if ttl is given; nil forgets it.",
			Example: `attempt.store:set("name", "ana", "30d")`, method: (*object).storeSet},
		{Name: "incr", Type: "(key, by, ttl)", Doc: "Adds to a number, 1 when by is left out, and returns the sum; ttl counts from now, and without it the sum is kept for ever.",
			Example: `attempt.store:incr("opens", 1, "30d")`, method: (*object).storeIncr},
		{Name: "once", Type: "(key, ttl)", Doc: "Returns true the first time, and false until ttl is over.",
			Example: `sesame.store:once(nonce, "3m")`, method: (*object).storeOnce},
	}
}
