// Package capture turns the packets that this host receives into frames, and its links and
// addresses into snapshots.
//
// One packet socket receives from all interfaces, so the packets keep their order. They wait in the
// kernel, which allocates room for each when it comes, and one system call takes up to 32 of them.
// A ring that the kernel shares with this process (TPACKET_V2 and V3 in
// Documentation/networking/packet_mmap.rst) takes all of its memory from the beginning: 32 MiB for
// the 16,384 packets that may come while this process waits for a processor. A smaller ring loses
// them. V3 also reports packets up to a millisecond late. Reading each packet by a call of its own
// loses packets at full speed. BenchmarkFullSpeed and BenchmarkLatency compare the four.
//
// A packet counts once, on the interface where IP receives it. The file counting.go defines this
// for bridges, bonds, VRFs and VLANs.
package capture
