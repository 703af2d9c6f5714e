// Command sesame turns knocks into access, by rules in Lua scripts. It runs the daemon,
// controls it, checks scripts, and replays captures through them.
//
// Results go to standard output, messages to standard error. The exit status is 0 for yes or
// done, 1 when the answer is no, and 2 when the command failed.
package main

import "os"

func main() { os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr)) }
