// Package difference turns two script sets into what changed between them, for the person who
// edited the scripts and for who reads the log.
//
// It never tells the knocks of a door, what a payload must have, or a setting that may be one of
// them: that they changed is all that it says. It reads what is immutable in a set, so the earlier
// set may be in use.
package difference
