//go:build !linux

package main

// liveFormats returns nothing: the daemon needs Linux.
func liveFormats() map[string]int { return nil }
