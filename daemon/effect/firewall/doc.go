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
// more answers than it reads. The conflict files find chains of others that drop what a
// grant lets in.
package firewall
