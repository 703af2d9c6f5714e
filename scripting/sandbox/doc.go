// Package sandbox turns Lua source into functions that cannot hang, exhaust or escape.
//
// [Compile] parses, checks and rewrites a file; a [State] runs it. Loading runs the file once and
// then freezes everything it made; after that a [State.Call] starts from the same values every
// time, so that the only memory of a script is the one that its host gives it.
//
// A script is bounded by two counters, and both count the same things on every machine: no clock is read.
//
//   - Instructions. Each instruction of the virtual machine is one, through a context whose Done
//     method counts. A library function that does more than a few steps of work charges the rest.
//     When the limit is reached every further instruction fails, so that no pcall can swallow it.
//   - Bytes. What a script allocates adds up, whether it is still in use or not. The virtual
//     machine (gopher-lua) has no such limit, and one of its instructions can allocate a gigabyte;
//     therefore the parsed tree is rewritten until every instruction that allocates without bound
//     is a call of a host function: concatenation, assignment to a field, constructors, functions,
//     and the three dots.
//
// The libraries are Lua 5.1's without everything that reaches the machine, loads code, reads a
// clock or shows an address. What is absent is named with what to use instead. The differences that
// an author may notice are written in libraries.go.
package sandbox
