// Package firewall turns guards and elements into nftables' tables, sets and rules, and
// reads them back.
//
// A [Guard] has a table of its own. A [Sets] puts elements into sets that the user
// made. Both implement [effect.Firewall]. Read guard_table.go for the content of the
// kernel, then guard_install.go for how it gets there, then change.go for how
// elements change.
//
// Numbers and their meaning are those of include/uapi/linux/netfilter/nf_tables.h, and
// of nft(8). Messages to the kernel are sent by socket.go: google/nftables requests
// more answers than it reads.
//
// [Guard.Measure] finds out what becomes of the packets that grants let in: guard_measure.go has
// the rules, trace.go reads the kernel's messages, connection.go asks connection tracking, and
// package reach follows the packets. blocker.go reads the rule that drops them, and remedy.go knows
// what lets them through.
package firewall
