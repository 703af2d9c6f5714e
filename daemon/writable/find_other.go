//go:build !linux

package writable

// Find returns nothing, since the daemon needs Linux.
func Find([]Target) []Finding { return nil }
