// Package effect turns effects into changes of the host: nftables elements,
// commands, records in the journal, marks in files of one-time sequences. It and
// what lies below it are all that changes the machine.
//
// Read firewall.go for what a firewall must do, runner.go for what the daemon's
// loop sees, then runner_take.go, which is the way of an effect from the queue
// to its answer.
package effect
