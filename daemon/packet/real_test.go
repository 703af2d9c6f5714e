package packet

import (
	"encoding/binary"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// pcapng returns a file with one interface for each frame, so that each has a link type of its own.
func pcapng(links []LinkType, frames [][]byte) []byte {
	u16, u32 := binary.LittleEndian.AppendUint16, binary.LittleEndian.AppendUint32
	var file []byte
	block := func(kind uint32, body []byte) {
		for len(body)%4 != 0 {
			body = append(body, 0)
		}
		file = u32(u32(file, kind), uint32(12+len(body)))
		file = u32(append(file, body...), uint32(12+len(body)))
	}
	block(0x0a0d0d0a, append(u16(u16(u32(nil, 0x1a2b3c4d), 1), 0), 255, 255, 255, 255, 255, 255, 255, 255))
	for _, link := range links {
		block(1, u32(u16(u16(nil, uint16(link)), 0), 0))
	}
	for i, frame := range frames {
		body := u32(u32(u32(u32(u32(nil, uint32(i)), 0), uint32(i)), uint32(len(frame))), uint32(len(frame)))
		block(6, append(body, frame...))
	}
	return file
}

// TestRealTsharkAgrees lets tshark read a frame of each link type and of each tunnel. It finds the
// same innermost packet.
func TestRealTsharkAgrees(t *testing.T) {
	tshark, err := exec.LookPath("tshark")
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("tshark is not installed: run .ci/install")
		}
		t.Skip("needs tshark: run .ci/install")
	}
	var names []string
	var links []LinkType
	var frames [][]byte
	var want []string
	add := func(name string, link LinkType, frame []byte, v6 bool) {
		names, links, frames = append(names, name), append(links, link), append(frames, frame)
		line := "203.0.113.9 192.0.2.1 7421"
		if v6 {
			line = "2001:db8::9 2001:db8::1 7421"
		}
		want = append(want, line)
	}
	// The file is little endian, and so is NFLOG in it. tshark 4.0 does not read the others.
	without := []string{"nflog, big endian", "pppd", "pppd, sent", "hdlc with direction", "classical ip over atm", "mpls alone", "pktap 2"}
	for _, test := range linkFrames(t) {
		if !slices.Contains(without, test.name) {
			add(test.name, test.link, test.frame, test.ip[0]>>4 == 6)
		}
	}
	for _, test := range tunnelFrames(t) {
		add(test.name, Raw, test.ip, test.v6)
	}
	path := filepath.Join(t.TempDir(), "links.pcapng")
	if err := os.WriteFile(path, pcapng(links, frames), 0o600); err != nil {
		t.Fatal(err)
	}
	c := exec.Command(tshark, "-n", "-r", path, "-T", "fields", "-E", "separator=|", "-E", "occurrence=l",
		"-e", "ip.src", "-e", "ip.dst", "-e", "ipv6.src", "-e", "ipv6.dst", "-e", "tcp.dstport", "-e", "frame.protocols")
	var complaint strings.Builder
	c.Stderr = &complaint
	out, err := c.Output()
	if err != nil {
		t.Fatalf("tshark: %v: %s", err, complaint.String())
	}
	lines := strings.Split(strings.TrimRight(string(out), "\n"), "\n")
	if len(lines) != len(want) {
		t.Fatalf("tshark reads %d of %d frames: %s", len(lines), len(want), complaint.String())
	}
	for i, line := range lines {
		fields := strings.Split(line, "|")
		got := fields[0] + " " + fields[1] + " " + fields[4]
		if strings.HasPrefix(want[i], "2001") {
			got = fields[2] + " " + fields[3] + " " + fields[4]
		}
		if got != want[i] {
			t.Errorf("%s: tshark reads %q, want %q", names[i], line, want[i])
		}
	}
}
