// Package capture turns the packets that this host receives into frames, and its links and
// addresses into snapshots.
//
// One packet socket receives from all interfaces, so the packets keep their order. The kernel
// writes them into a ring that it shares with this process (TPACKET_V2 in
// Documentation/networking/packet_mmap.rst). TPACKET_V3 is no alternative: it reports packets in
// blocks, up to a millisecond late. Neither is reading from the socket: it loses packets at full
// speed. BenchmarkFullSpeed and BenchmarkLatency compare the three.
//
// A packet counts once, on the interface where IP receives it. The file counting.go defines this
// for bridges, bonds, VRFs and VLANs.
package capture
