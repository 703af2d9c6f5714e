//go:build linux

// Package listing turns the place of a rule in another program's firewall into its text, as nft or
// iptables prints it.
//
// The programs of the firewall know how to print what the kernel holds. A confined daemon starts no
// program, so a process of its own does that for it: [Start] starts it, [Serve] is that process. It
// has CAP_NET_ADMIN, writes no file, and takes no argument but the names of a table and a chain.
package listing
