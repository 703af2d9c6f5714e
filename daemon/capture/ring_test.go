package capture

import (
	"bytes"
	"encoding/binary"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sesame/daemon/packet"
)

// slot returns a slot as the kernel fills it.
func slot(data []byte, set func(slot []byte)) []byte {
	s := make([]byte, slotSize)
	native := binary.NativeEndian
	native.PutUint32(s, unix.TP_STATUS_USER)
	native.PutUint32(s[4:], uint32(len(data)))
	native.PutUint32(s[8:], uint32(len(data)))
	native.PutUint16(s[12:], 80)
	native.PutUint16(s[14:], 80)
	native.PutUint32(s[16:], 1_700_000_000)
	native.PutUint32(s[20:], 123_456_789)
	native.PutUint16(s[32:], unix.AF_PACKET)
	binary.BigEndian.PutUint16(s[34:], packet.EtherTypeIPv4)
	native.PutUint32(s[36:], 3)
	copy(s[80:], data)
	if set != nil {
		set(s)
	}
	return s
}

func TestRead(t *testing.T) {
	var a arrival
	if !a.read(slot([]byte("abc"), nil)) {
		t.Fatal("a good slot is refused")
	}
	if !bytes.Equal(a.data, []byte("abc")) || a.wire != 3 || a.protocol != packet.EtherTypeIPv4 || a.iface != 3 ||
		!a.stamp.Equal(time.Unix(1_700_000_000, 123_456_789)) || a.packetType != unix.PACKET_HOST || a.tag != (Tag{}) {
		t.Errorf("got %+v", a)
	}
	native := binary.NativeEndian
	for _, tt := range []struct {
		name string
		set  func([]byte)
		good bool
	}{
		{"all of the slot", func(s []byte) { native.PutUint32(s[8:], slotSize-80) }, true},
		{"a byte beyond the slot", func(s []byte) { native.PutUint32(s[8:], slotSize-79) }, false},
		{"a length that wraps around", func(s []byte) { native.PutUint32(s[8:], 0xffffffff) }, false},
		{"an offset into the header", func(s []byte) { native.PutUint16(s[14:], 4) }, false},
		{"an offset of nothing", func(s []byte) { native.PutUint16(s[14:], 0) }, false},
		{"an offset into the address", func(s []byte) { native.PutUint16(s[14:], addressEnd-1) }, false},
		{"an offset beyond the slot", func(s []byte) { native.PutUint16(s[14:], 0xffff) }, false},
		{"an offset at the end, and no data", func(s []byte) { native.PutUint16(s[14:], slotSize); native.PutUint32(s[8:], 0) }, true},
		{"less on the wire than captured", func(s []byte) { native.PutUint32(s[4:], 0) }, true},
		{"a wire without end", func(s []byte) { native.PutUint32(s[4:], 0xffffffff) }, true},
		{"a stamp that is none", func(s []byte) { native.PutUint32(s[16:], 0xffffffff); native.PutUint32(s[20:], 0xffffffff) }, true},
	} {
		var a arrival
		if got := a.read(slot([]byte("abc"), tt.set)); got != tt.good {
			t.Errorf("%s: read is %v", tt.name, got)
		} else if got && a.wire < len(a.data) {
			t.Errorf("%s: %d captured of %d", tt.name, len(a.data), a.wire)
		}
	}
	if a.read(make([]byte, addressEnd-1)) || a.read(nil) {
		t.Error("a slot is read that is shorter than its header")
	}
}

func TestReadTag(t *testing.T) {
	for _, tt := range []struct {
		status    uint32
		tci, tpid uint16
		want      Tag
	}{
		{0, 10, packet.EtherTypeVLAN, Tag{}},
		{unix.TP_STATUS_VLAN_VALID, 0xe00a, 0, Tag{packet.EtherTypeVLAN, 10}},
		{unix.TP_STATUS_VLAN_VALID | unix.TP_STATUS_VLAN_TPID_VALID, 0x1fff, packet.EtherTypeQinQ, Tag{packet.EtherTypeQinQ, 4095}},
		{unix.TP_STATUS_VLAN_VALID | unix.TP_STATUS_VLAN_TPID_VALID, 0xe000, packet.EtherTypeVLAN, Tag{packet.EtherTypeVLAN, 0}},
	} {
		var a arrival
		a.read(slot(nil, func(s []byte) {
			binary.NativeEndian.PutUint32(s, unix.TP_STATUS_USER|tt.status)
			binary.NativeEndian.PutUint16(s[24:], tt.tci)
			binary.NativeEndian.PutUint16(s[26:], tt.tpid)
		}))
		if a.tag != tt.want {
			t.Errorf("status %#x, %#x %#x: got %v", tt.status, tt.tpid, tt.tci, a.tag)
		}
	}
}

func TestReception(t *testing.T) {
	for _, tt := range []struct {
		status        uint32
		interfaceType uint16
		want          packet.Reception
	}{
		{0, unix.ARPHRD_ETHER, packet.Live},
		{unix.TP_STATUS_CSUMNOTREADY, unix.ARPHRD_ETHER, packet.Live | packet.Vouched},
		{unix.TP_STATUS_CSUM_VALID, unix.ARPHRD_NONE, packet.Live | packet.Vouched},
		{unix.TP_STATUS_VLAN_VALID | unix.TP_STATUS_LOSING, unix.ARPHRD_ETHER, packet.Live},
		{unix.TP_STATUS_CSUMNOTREADY, unix.ARPHRD_LOOPBACK, packet.Live | packet.Vouched | packet.Loopback},
	} {
		var s Source
		s.SetLinks(nil)
		s.ring.memory = slot(datagram(4, 7000, nil), func(s []byte) {
			binary.NativeEndian.PutUint32(s, unix.TP_STATUS_USER|tt.status)
			binary.NativeEndian.PutUint16(s[40:], tt.interfaceType)
		})
		var f Frame
		if !s.Next(&f) || f.Reception != tt.want || f.Stray {
			t.Errorf("status %#x, type %d: got %+v", tt.status, tt.interfaceType, f)
		}
	}
}

// Before Linux 6.10 the kernel gives the EtherType of the tag at the beginning of the data. Since
// then it gives the EtherType after all tags.
func TestUntag(t *testing.T) {
	v4, v6 := datagram(4, 7000, nil), datagram(6, 7000, nil)
	behind := func(ip []byte, etherType uint16, tci ...uint16) []byte {
		var data []byte
		for i, c := range tci {
			data = binary.BigEndian.AppendUint16(data, c)
			if next := uint16(packet.EtherTypeVLAN); i < len(tci)-1 {
				data = binary.BigEndian.AppendUint16(data, next)
			}
		}
		return append(binary.BigEndian.AppendUint16(data, etherType), ip...)
	}
	outer := Tag{packet.EtherTypeQinQ, 10}
	for _, tt := range []struct {
		name     string
		protocol uint16
		tag      Tag
		data     []byte
		link     packet.LinkType // 0: not IP
		want     []byte
	}{
		{"v4", packet.EtherTypeIPv4, Tag{}, v4, packet.IPv4, v4},
		{"v6", packet.EtherTypeIPv6, Tag{}, v6, packet.IPv6, v6},
		{"v4, tag taken off", packet.EtherTypeIPv4, outer, v4, packet.IPv4, v4},
		{"v6, tag taken off", packet.EtherTypeIPv6, outer, v6, packet.IPv6, v6},
		{"inner tag, old", packet.EtherTypeVLAN, outer, behind(v4, packet.EtherTypeIPv4, 20), packet.IPv4, v4},
		{"inner tag, new", packet.EtherTypeIPv4, outer, behind(v4, packet.EtherTypeIPv4, 20), packet.IPv4, v4},
		{"inner tag like v4", packet.EtherTypeIPv4, outer, behind(v4, packet.EtherTypeIPv4, 0x4514), packet.IPv4, v4},
		{"inner tag like v6", packet.EtherTypeIPv6, outer, behind(v6, packet.EtherTypeIPv6, 0x6014), packet.IPv6, v6},
		{"two inner tags, new", packet.EtherTypeIPv6, outer, behind(v6, packet.EtherTypeIPv6, 20, 0x6014), packet.IPv6, v6},
		{"an inner tag that the kernel did not see", packet.EtherTypeIPv4, Tag{}, behind(v4, packet.EtherTypeIPv4, 20), packet.IPv4, behind(v4, packet.EtherTypeIPv4, 20)},
		{"tags that lead elsewhere", packet.EtherTypeIPv4, outer, behind(v4, packet.EtherTypeIPv6, 20), packet.IPv4, behind(v4, packet.EtherTypeIPv6, 20)},
		{"a v4 packet that is too long, behind a tag", packet.EtherTypeIPv4, outer, append([]byte{0x45, 0, 0xff, 0xff}, v4[4:]...), packet.IPv4, append([]byte{0x45, 0, 0xff, 0xff}, v4[4:]...)},
		{"a tag and no more", packet.EtherTypeVLAN, outer, []byte{0, 20, 0x08}, 0, nil},
		{"nothing", packet.EtherTypeIPv4, outer, nil, packet.IPv4, nil},
		{"ARP", 0x0806, Tag{}, v4, 0, nil},
		{"ARP behind an inner tag", 0x0806, outer, behind(v4, 0x0806, 20), 0, nil},
	} {
		a := arrival{data: tt.data, wire: len(tt.data), protocol: tt.protocol, tag: tt.tag}
		link, ip := a.untag()
		if ip != (tt.link != 0) || ip && (link != tt.link || !bytes.Equal(a.data, tt.want) || a.wire != len(tt.want)) {
			t.Errorf("%s: got %v, %v, %x", tt.name, link, ip, a.data)
		}
	}
}

func TestRingOrder(t *testing.T) {
	r := ring{memory: make([]byte, 3*slotSize)}
	if r.ready() {
		t.Error("an empty ring is ready")
	}
	for n := range 7 { // more than twice around
		copy(r.memory[n%3*slotSize:], slot([]byte{byte(n)}, nil))
		if !r.ready() {
			t.Fatalf("slot %d is not ready", n)
		}
		var a arrival
		if !a.read(r.slot()) || a.data[0] != byte(n) {
			t.Errorf("slot %d: got %v", n, a.data)
		}
		r.advance()
		if loadStatus(r.memory[n%3*slotSize:]) != unix.TP_STATUS_KERNEL || r.ready() {
			t.Errorf("slot %d is not given back", n)
		}
	}
}

// Next skips packets that do not count and slots that contradict themselves, but not for ever.
func TestNextSteps(t *testing.T) {
	var s Source
	s.SetLinks(nil)
	s.ring.memory = make([]byte, 4*slotSize)
	fill := func(n int, set func([]byte)) { copy(s.ring.memory[n*slotSize:], slot([]byte{byte(n)}, set)) }
	fill(0, func(s []byte) { s[42] = unix.PACKET_OTHERHOST })
	fill(1, func(s []byte) { binary.NativeEndian.PutUint32(s[8:], 1<<31) })
	fill(2, nil)
	var f Frame
	if !s.Next(&f) || f.Data[0] != 2 || f.Interface != 3 {
		t.Errorf("got %+v", f)
	}
	if s.Next(&f) {
		t.Errorf("then got %+v", f)
	}
	if s.damaged.Load() != 1 {
		t.Errorf("%d slots made no sense", s.damaged.Load())
	}
	for n := range 4 {
		fill(n, func(s []byte) { s[42] = unix.PACKET_OUTGOING })
	}
	if s.Next(&f) || s.ring.ready() {
		t.Error("Next took a packet that does not count, or left one")
	}
}

func TestNextAllocatesNothing(t *testing.T) {
	var s Source
	s.SetLinks(nil)
	s.ring.memory = make([]byte, slotSize)
	data := slot(datagram(4, 7000, make([]byte, 100)), nil)
	var f Frame
	if n := testing.AllocsPerRun(1000, func() {
		copy(s.ring.memory, data)
		if !s.Next(&f) {
			t.Fatal("no frame")
		}
	}); n != 0 {
		t.Errorf("a frame allocates %v times", n)
	}
}

// FuzzNext fills the ring with arbitrary bytes.
func FuzzNext(f *testing.F) {
	f.Add(slot(datagram(4, 7000, []byte("knock")), nil)[:200], uint32(0))
	f.Add(slot(datagram(6, 7000, []byte("knock")), nil)[:200], uint32(unix.TP_STATUS_VLAN_VALID))
	f.Fuzz(func(t *testing.T, head []byte, status uint32) {
		var s Source
		s.SetLinks(nil)
		s.ring.memory = make([]byte, 2*slotSize)
		copy(s.ring.memory, head[:min(len(head), slotSize)])
		binary.NativeEndian.PutUint32(s.ring.memory, status|unix.TP_STATUS_USER)
		var frame Frame
		taken := s.Next(&frame)
		if taken && (frame.Wire < len(frame.Data) || len(frame.Data) > slotSize-addressEnd ||
			frame.Link != packet.IPv4 && frame.Link != packet.IPv6) {
			t.Errorf("got %+v", frame)
		}
		if taken {
			packet.NewDecoder().Decode(frame.Link, frame.Data, frame.Wire, &packet.Packet{})
		}
		if s.Next(&frame) {
			t.Error("a slot is read twice")
		}
	})
}
