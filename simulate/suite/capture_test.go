package suite_test

import (
	"bytes"
	"flag"
	"net/netip"
	"os"
	"testing"
	"time"

	"sesame/daemon/packet"
	"sesame/simulate/craft"
)

var update = flag.Bool("update", false, "write the files of testdata anew")

// Two people in the field send their datagram twice, as one does when nothing seems to happen.
func TestTheCaptureFromTheField(t *testing.T) {
	file := craft.NewFile(packet.Ethernet)
	at := time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC)
	for i, payload := range []string{"SESAmaple-otter-3168", "SESAmaple-otter-3168", "SESAquiet-anvil-7702", "SESAquiet-anvil-7702"} {
		err := file.Add(at.Add(time.Duration(i)*time.Second), craft.Packet{
			Source: netip.MustParseAddr("203.0.113.9"), Dest: netip.MustParseAddr("198.51.100.1"),
			SourcePort: uint16(40000 + i), Port: packet.Port{Proto: packet.UDP, Number: 62201}, Payload: []byte(payload),
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	const path = "testdata/pairs/captures/beacon-opens.pcap"
	if *update {
		if err := os.WriteFile(path, file.PCAP(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if is, err := os.ReadFile(path); err != nil || !bytes.Equal(is, file.PCAP()) {
		t.Errorf("the capture is another one: run with -update (%v)", err)
	}
}
