// Package scripting turns Lua files into a script set.
//
// Loading a file registers doors, listeners, conditions, commands and timers
// with the one table that scripts see, sesame; [API] describes it. Running
// reacts: the engine calls what was registered, and a reply says what to do. A
// script never does anything itself, and sees no clock, no randomness and no
// state but what the moment at hand carries, so that a replay decides alike.
//
// A set loads whole or not at all: [Load] reports every problem of every file
// as [Problems]. Each file has a Lua state of its own, which only the goroutine
// that owns the engine may use.
package scripting
