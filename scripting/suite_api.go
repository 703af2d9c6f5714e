package scripting

import "sesame/scripting/spec"

// TestAPI returns all that files of tests can name beside the libraries of Lua, as [API] does for
// scripts. [TestTables] has the keys of the tables within a test.
func TestAPI() []Object {
	return []Object{{"sesame", "The table with which a file of tests declares them.", []Member{{
		Name: "test", Type: `"name" { options, step, ... }`,
		Doc: "Declares a test: steps that happen one after the other, and what each must bring about. " +
			"A test begins with nothing that another left, and its time is its own: an hour passes at once.",
		Example:  `sesame.test "opens" { { knock = "ssh", from = "203.0.113.9", opens = "ssh" } }`,
		Options:  documented(testOptions()),
		function: named("test", registerTest),
	}}}}
}

// A Table documents the keys of a kind of table in a test.
type Table struct {
	Name    string // the key that has such a table; "step" for the steps themselves
	Doc     string
	Options []Option
}

// TestTables returns the tables within a test. The keys of the test itself are the options of the
// member of [TestAPI].
func TestTables() []Table {
	tables := []Table{
		{"step", "One thing that happens, or time that passes, and what must come of it.", documented(stepOptions())},
		{"knock", "A packet of a list, such as `{ \"udp/62201\", payload = \"SESA\" }`. A port alone is a packet too.", documented(packetOptions())},
		{"facts", "What is known of an address or a network. The addresses of a host are a list: `[\"home.example.net\"] = { \"203.0.113.9\" }`.", documented(factOptions())},
	}
	for event, kind := range eventKinds {
		tables = append(tables, Table{kind.key, kind.doc, documented(expectationOptions(spec.Event(event)))})
	}
	return append(tables,
		Table{"allows", "Access that the step gives. A port alone, such as `\"tcp/22\"`, will do.", documented(allowedOptions())},
		Table{"runs", "A command that the step runs, by its name: first in the table, or alone.", documented(runOptions())},
	)
}
