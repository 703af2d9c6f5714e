// Package daemon turns the packets that arrive at a machine into the access that its scripts
// give, for as long as the machine runs.
//
// One goroutine, the loop, owns the engine and everything that scripts can see. All other
// goroutines send it inputs or carry out its effects. ARCHITECTURE.md lists them, with the
// capacity of each channel between them and what happens when it is full.
package daemon
