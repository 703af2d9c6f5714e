// Package sandbox turns Lua source into functions that cannot hang, exhaust memory or reach the
// machine.
//
// Scripts run inside a daemon that has root's rights over the firewall. The package assumes that a
// script is careless or hostile, and that anyone who knocks chooses some of its arguments. It runs
// gopher-lua, which was not written for hostile scripts: it has no limit for memory, one of its
// instructions can allocate a gigabyte, and some constructs compile to wrong code. Each file names
// the functions of gopher-lua (version 1.1.2) that it defends against.
//
// # From source to a result
//
// [Compile] makes a [Program] in five steps. Each step relies on the ones before it:
//
//  1. inspect (token.go) reads all tokens and bounds nesting, names and expressions. So the parser,
//     which recurses and has no bound of its own, ends.
//  2. gopher-lua parses the text.
//  3. check (check.go) walks the tree once with its scopes. It refuses what a script may not do and
//     what gopher-lua compiles wrongly or slowly. It distinguishes globals from local variables.
//  4. rewrite (rewrite.go) replaces every construct that allocates without bound, or writes to a
//     table or to a global, by a call of a hidden function (hidden.go). It needs check's list of
//     globals, and it relies on check for the depth of the tree, since it recurses too.
//  5. gopher-lua compiles the new tree. repair (repair.go) corrects what it compiles wrongly in
//     constructors. within (compile.go) then refuses functions that do not fit into the fields of
//     its instructions.
//
// Large tables of constants take another way, since gopher-lua compiles them slowly. check gives
// them to hoist (hoist.go), which makes the table at once. A module that is nothing but such a
// table is read without a tree (data.go).
//
// A [State] runs programs. [State.Run] loads one: it runs the file once and then makes everything
// read-only that the file made. After that each [State.Call] starts from the same values, so the
// only memory of a script is the one that its host gives it.
//
// # What bounds a script
//
// A [Budget] bounds it, in steps. They are the same on every machine, and no clock is read.
//
//   - Each instruction of the virtual machine is a step. One that compares or hashes long strings,
//     follows metatables or passes many values costs more (weight.go), and a library function that
//     does more than a few steps of work charges the rest.
//   - So many bytes are a step. All that a script allocates adds up, whether it is still in use or
//     not.
//   - While a set loads, its files share one budget, and compiling them costs steps too.
//
// When the budget is used up every further instruction fails, so no pcall can catch the failure and
// continue.
//
// Other limits are fixed, because the budget would notice too late: a string has at most 64 KiB
// (MaxString), a function returns at most 4,000 values (maxValues), an array grows by at most
// 65,536 items at once (maxGap), 120 calls and 20 pcalls nest.
//
// # What a script reaches
//
// The libraries are those of Lua 5.1 without everything that reaches the machine, loads code, reads
// a clock or shows an address (libraries.go). absent.go has a message for each missing function. No
// function of gopher-lua's own libraries is ever opened, so nothing in them needs to be removed.
package sandbox
