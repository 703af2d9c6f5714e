// Command sesame turns a knock into access, as Lua scripts say: it checks the
// scripts, and replays captures through them.
//
// Everything for people goes to standard error, except what they asked for. The
// exit status is 0 for yes or done, 1 when the answer is no, 2 when it could not
// be found.
package main

import "os"

func main() { os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr)) }
