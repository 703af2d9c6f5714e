package firewall

import (
	"bytes"
	"encoding/binary"
	"slices"
	"testing"

	"golang.org/x/sys/unix"
	"pgregory.net/rapid"

	"sesame/daemon/packet"
)

// TestStandInsAreApart holds that each guarded TCP port has one stand-in at most, no two have the
// same, and none is a port that people guard or watch.
func TestStandInsAreApart(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		port := rapid.Custom(func(t *rapid.T) packet.Port {
			return packet.Port{Proto: rapid.SampledFrom([]packet.Proto{packet.TCP, packet.UDP}).Draw(t, "proto"), Number: uint16(rapid.IntRange(1, 400).Draw(t, "number"))}
		})
		guarded, watched := rapid.SliceOf(port).Draw(t, "guarded"), rapid.SliceOf(port).Draw(t, "watched")
		closed, asked, used := closedMembers(guarded, watched)
		if len(closed) != len(asked) || len(closed) != len(used) {
			t.Fatalf("%d, %d and %d members", len(closed), len(asked), len(used))
		}
		var stand []packet.Port
		for _, m := range closed {
			from, to := binary.BigEndian.Uint16(m.key), binary.BigEndian.Uint16(m.value)
			p := packet.Port{Proto: packet.TCP, Number: to}
			if slices.Contains(guarded, p) || slices.Contains(watched, p) || slices.Contains(stand, p) || to == closedPort {
				t.Fatalf("tcp/%d stands in for tcp/%d", to, from)
			}
			if !slices.Contains(guarded, packet.Port{Proto: packet.TCP, Number: from}) {
				t.Fatalf("tcp/%d is not guarded", from)
			}
			if !slices.ContainsFunc(asked, func(a member) bool { return bytes.Equal(a.key, m.value) && bytes.Equal(a.value, m.key) }) {
				t.Fatalf("no way back from tcp/%d", to)
			}
			stand = append(stand, p)
		}
		slices.SortFunc(stand, comparePorts)
		if !slices.Equal(stand, portsOf(used)) {
			t.Fatalf("stand-ins %v, listed %v", stand, portsOf(used))
		}
		for _, p := range guarded {
			has := slices.ContainsFunc(closed, func(m member) bool { return binary.BigEndian.Uint16(m.key) == p.Number })
			if p.Proto == packet.TCP && !has && len(closed) < 50 {
				t.Fatalf("%v has no stand-in", p)
			}
		}
	})
}

// TestKeysOfFlows compares the key of a flow with the registers that the rule fills.
func TestKeysOfFlows(t *testing.T) {
	v4 := tuple{unix.IPPROTO_UDP, []byte{192, 0, 2, 1}, []byte{198, 51, 100, 1}, 0x1234, 5353}
	want := []byte{192, 0, 2, 1, 0x12, 0x34, 0, 0, 198, 51, 100, 1, 0x14, 0xe9, 0, 0}
	if got := v4.key(); !bytes.Equal(got, want) || v4.set() != "standing4" || !v4.valid() {
		t.Errorf("key %x in %s, want %x", got, v4.set(), want)
	}
	if got := v4.inverse().inverse().key(); !bytes.Equal(got, want) {
		t.Errorf("turned twice: %x", got)
	}
	v6 := tuple{unix.IPPROTO_UDP, make([]byte, 16), make([]byte, 16), 1, 2}
	if len(v6.key()) != 40 || v6.set() != "standing6" {
		t.Errorf("key of %d bytes in %s", len(v6.key()), v6.set())
	}
	for _, s := range guardSets {
		_, length := s.key()
		if want := map[string]uint32{"standing4": 16, "standing6": 40}[s.name]; want != 0 && want != length {
			t.Errorf("a key of %s has %d bytes, want %d", s.name, length, want)
		}
	}
	for _, broken := range []tuple{{}, {source: v4.source}, {source: v4.source, destination: v6.source}, {source: []byte{1}, destination: []byte{1}}} {
		if broken.valid() {
			t.Errorf("%+v is taken for a flow", broken)
		}
	}
}

// FuzzTuple reads attributes that no kernel writes.
func FuzzTuple(f *testing.F) {
	f.Add([]byte{12, 0, 1, 0x80, 8, 0, 1, 0, 1, 2, 3, 4})
	f.Fuzz(func(t *testing.T, b []byte) {
		one := tupleOf(parse(b), ctOriginal)
		if one.valid() && len(one.key()) != 2*len(one.source)+8 {
			t.Errorf("a key of %d bytes", len(one.key()))
		}
	})
}

func TestLabelsAreBits(t *testing.T) {
	for _, bit := range []int{0, labelGranted, labelRefused, 127} {
		bits := label(bit)
		if got := binary.LittleEndian.Uint64(bits[8*(bit/64):]); len(bits) != 16 || got != 1<<(bit%64) {
			t.Errorf("label %d is %x", bit, bits)
		}
	}
}
