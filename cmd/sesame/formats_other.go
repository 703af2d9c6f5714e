//go:build !linux

package main

// liveFormats returns nothing: the daemon needs Linux.
func liveFormats() map[string]int { return nil }

// savedForm returns 0: no daemon runs here, so none of a newer version did.
func savedForm(string) int { return 0 }
