package main

import (
	"encoding/binary"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"sesame/daemon/packet"
	"sesame/simulate/craft"
)

// BenchmarkReading replays a million packets in which no door is interested. tcpdump then filters
// the same file by the same ports. It reports the processor time of both programs, user and system,
// with their start, and the ratio.
func BenchmarkReading(b *testing.B) {
	if _, err := exec.LookPath("tcpdump"); err != nil {
		b.Skip("needs tcpdump: see .ci/install")
	}
	const packets = 1_000_000
	path := filepath.Join(b.TempDir(), "unwatched.pcap")
	if err := os.WriteFile(path, unwatched(packets).PCAP(), 0o644); err != nil {
		b.Fatal(err)
	}
	filter := "tcp dst port 7421 or udp dst port 9133 or tcp dst port 2904 or tcp dst port 6117"
	var ours, theirs time.Duration
	for b.Loop() {
		ours += processorTime(b, sesame, "simulate", "-s", "../scripts/ssh.lua", "--format", "jsonl", path)
		theirs += processorTime(b, "tcpdump", "-r", path, "-w", "/dev/null", filter)
	}
	b.ReportMetric(float64(ours.Nanoseconds())/packets/float64(b.N), "sesame-ns/packet")
	b.ReportMetric(float64(theirs.Nanoseconds())/packets/float64(b.N), "tcpdump-ns/packet")
	b.ReportMetric(float64(ours)/float64(theirs), "sesame/tcpdump")
	b.ReportMetric(0, "ns/op") // the time of both programs together has no meaning
}

func processorTime(b *testing.B, name string, arguments ...string) time.Duration {
	b.Helper()
	cmd := exec.CommandContext(b.Context(), name, arguments...)
	if out, err := cmd.CombinedOutput(); err != nil {
		b.Fatalf("%s: %v\n%s", name, err, out)
	}
	return cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
}

// unwatched returns a capture of SYNs and datagrams to ports below 1,024, a
// microsecond apart, from sources of the benchmarks' network (RFC 2544).
func unwatched(packets int) *craft.File {
	random := rand.New(rand.NewPCG(1, 2))
	c := &craft.File{SnapLen: craft.SnapLen, Link: packet.Ethernet, Frames: make([]craft.Frame, packets)}
	for i := range c.Frames {
		data := make([]byte, 60)
		copy(data, "\x02\x00\x00\x00\x00\x01\x02\x00\x00\x00\x00\x09\x08\x00")
		copy(data[14:], "\x45\x00\x00\x2e\x00\x00\x40\x00\x40\x06\x00\x00\xc6\x12\x00\x00\xc6\x33\x64\x01")
		binary.BigEndian.PutUint16(data[28:], uint16(random.Uint32()))
		binary.BigEndian.PutUint16(data[34:], uint16(random.Uint32()|1024))
		binary.BigEndian.PutUint16(data[36:], uint16(1+random.IntN(1023)))
		if i%4 == 0 {
			data[23] = 17
			binary.BigEndian.PutUint16(data[38:], 26)
		} else {
			binary.BigEndian.PutUint32(data[38:], random.Uint32())
			data[46], data[47] = 5<<4, 2
		}
		c.Frames[i] = craft.Frame{Time: defaultStart.Add(time.Duration(i) * time.Microsecond), Data: data, Length: 60}
	}
	return c
}
