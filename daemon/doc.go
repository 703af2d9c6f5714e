// Package daemon turns what arrives at a machine into what its scripts decide,
// for as long as the machine runs.
//
// One goroutine, the loop, owns the engine and everything that scripts can see.
// All others bring it something or carry something out for it; ARCHITECTURE.md
// lists them, with the capacity of every queue between them.
package daemon
