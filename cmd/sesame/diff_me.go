package main

import (
	"net/netip"
	"os"
	"strings"
)

// sshConnection is the variable in which sshd tells a session who connected, from which port, to
// which address and port.
const sshConnection = "SSH_CONNECTION"

// callersAddress returns the address from which the caller is logged in; invalid when that is not
// known, as on a console. sudo clears the environment, so those of the processes above this one are
// looked at too, where that is allowed.
func callersAddress() netip.Addr {
	if value, found := os.LookupEnv(sshConnection); found {
		return parseConnection(value)
	}
	return addressAbove(os.Getpid())
}

// parseConnection returns the address of the client in SSH_CONNECTION; invalid when it tells none.
func parseConnection(value string) netip.Addr {
	client, _, _ := strings.Cut(value, " ")
	address, err := netip.ParseAddr(client)
	if err != nil || address.IsLoopback() {
		return netip.Addr{}
	}
	return address.Unmap().WithZone("")
}
