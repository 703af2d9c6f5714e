// Command sesame turns knocks into access, by rules in Lua scripts. It runs the daemon,
// controls it, checks scripts, and replays captures through them.
//
// Results go to standard output, messages to standard error. The exit status is 0 for yes or
// done, 1 when the answer is no, and 2 when the command failed.
package main

import (
	"os"
	"runtime"
)

// init keeps the main goroutine on the main thread of the process, which is only certain in an
// init. Linux hands a signal that is sent to a process to its main thread whenever that does not
// block the signal. A main thread that waits for a disk that does not answer never takes it, and
// the other threads need not: then neither SIGTERM nor Ctrl-C would end the program.
func init() { runtime.LockOSThread() }

// main keeps the main thread free for signals: all work is done on other threads.
func main() {
	go func() { os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr)) }()
	select {}
}
