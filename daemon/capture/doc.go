// Package capture turns what the network interfaces of this host receive into
// frames, and its links and addresses into snapshots.
//
// One packet socket hears all interfaces, so that packets keep the order in
// which they came. The kernel writes them into a ring that it shares with us
// (TPACKET_V2 in packet_mmap.rst): against V3 it tells of a packet at once, and
// against reading from the socket it loses none at full speed.
//
// A packet counts once, on the interface where IP receives it: counting.go says
// what that means for bridges, bonds and VLANs.
package capture
