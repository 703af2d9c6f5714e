// Package effect turns effects into changes of the host: nftables elements, commands,
// records in the journal, commented-out lines in files of one-time sequences. Only this
// package and those below it change the machine.
//
// The path of an effect: [Runner.Enqueue] adds it as a step to its decision (queue.go,
// decision.go). The worker takes all that is queued, writes the records (journal.go), and
// performs decisions round by round (carryout.go): elements in one transaction
// (access.go), log lines (log.go), and commands in the background (jobs.go, exec.go,
// command.go). [Runner.Results] returns the answers.
//
// How each effect is performed is a table, perform.go. To add an effect, add its row to
// the engine's table, its performer in a file here, and a line to that table.
package effect
