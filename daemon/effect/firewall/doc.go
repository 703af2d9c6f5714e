// Package firewall turns guards and elements into nftables, and back.
//
// A [Guard] has a table of its own; a [Sets] keeps elements in sets of the
// user's. Both are what [effect.Firewall] asks for. Read guard_table.go for what
// stands in the kernel, then guard_install.go for how it comes there.
//
// The messages to the kernel are written here, socket.go and message.go: the
// library has the words, but asks for more answers than it reads.
package firewall
