// Package scripting turns Lua files into a script set.
//
// While a file loads, it registers doors, listeners, conditions, commands and
// timers with the table sesame, which [API] describes. Later the engine calls
// the functions that were registered, and each returns a decision. A script
// changes nothing itself. Its functions get the time, randomness and stored
// values from the call of the engine alone, so a replay decides the same.
//
// A set loads as a whole or not at all: [Load] reports the problems of all
// files at once. Each file has a Lua state of its own, which only the goroutine
// that owns the engine may use.
//
// A member of the API stands in one file, such as door.go or allow.go, with its
// documentation, its options and its reading; api.go lists them. The objects
// that functions get are in given.go. The files below them are, from the
// bottom: value.go and schema.go (reading of options), script.go and run.go
// (the Lua state and one run of a function), object.go (what scripts see),
// hooks.go and when.go (what the engine calls).
package scripting
