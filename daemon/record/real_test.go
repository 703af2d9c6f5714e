package record

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
	"github.com/google/gopacket/pcapgo"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"sesame/daemon/packet"
)

// TestAgreesWithPcapgo reads the captures of real clients as pcapgo does.
func TestAgreesWithPcapgo(t *testing.T) {
	paths, err := filepath.Glob("../../pcaps/*.pcap*")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no captures in pcaps: %v", err)
	}
	for _, path := range paths {
		t.Run(filepath.Base(path), func(t *testing.T) {
			r, err := Open(path)
			check(t, err)
			got, err := read(r)
			check(t, err)
			check(t, r.Close())
			for i := range got {
				got[i].Link &= 0xff // pcapgo keeps no more of a link type
			}
			if diff := cmp.Diff(pcapgoReads(t, path), got); diff != "" {
				t.Errorf("frames (-pcapgo +ours):\n%s", diff)
			}
		})
	}
}

func pcapgoReads(t *testing.T, path string) []sample {
	file, err := os.Open(path)
	check(t, err)
	defer file.Close()
	var input io.Reader = file
	switch filepath.Ext(path) {
	case ".gz":
		input, err = gzip.NewReader(file)
		check(t, err)
	case ".zst":
		unpack, err := zstd.NewReader(file)
		check(t, err)
		defer unpack.Close()
		input = unpack
	}
	var next func() ([]byte, gopacket.CaptureInfo, error)
	link := packet.Ethernet
	if strings.Contains(path, ".pcapng") {
		ng, err := pcapgo.NewNgReader(input, pcapgo.NgReaderOptions{WantMixedLinkType: true})
		check(t, err)
		next = ng.ReadPacketData
	} else {
		r, err := pcapgo.NewReader(input)
		check(t, err)
		next, link = r.ReadPacketData, packet.LinkType(r.LinkType())
	}
	var list []sample
	for {
		data, ci, err := next()
		if errors.Is(err, io.EOF) {
			return list
		}
		check(t, err)
		if len(ci.AncillaryData) > 0 {
			link = packet.LinkType(ci.AncillaryData[0].(layers.LinkType))
		}
		list = append(list, sample{string(data), ci.Length, link, ci.Timestamp})
	}
}
