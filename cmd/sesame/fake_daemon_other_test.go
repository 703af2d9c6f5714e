//go:build !linux

package main

import "github.com/rogpeppe/go-internal/testscript"

// fakeDaemon is for scripts that run on Linux alone, as the commands that ask a daemon do.
func fakeDaemon(ts *testscript.TestScript, _ bool, _ []string) { ts.Fatalf("it needs Linux") }
