//go:build linux && race

package e2e

var raceFlags = []string{"-race"}
