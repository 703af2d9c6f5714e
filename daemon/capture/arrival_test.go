package capture

import (
	"bytes"
	"encoding/binary"
	"slices"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"sesame/daemon/packet"
)

// A sent is what the kernel would tell of a packet.
type sent struct {
	status, wire      uint32
	tci, tpid         uint16
	interfaceType     uint16
	packetType        byte
	seconds, fraction int64
}

// delivered returns a message as the kernel hands it over.
func delivered(data []byte, set func(*sent)) message {
	told := sent{status: unix.TP_STATUS_USER, wire: uint32(len(data)), seconds: 1_700_000_000, fraction: 123_456_789}
	if set != nil {
		set(&told)
	}
	native := binary.NativeEndian
	address := native.AppendUint16(nil, unix.AF_PACKET)
	address = binary.BigEndian.AppendUint16(address, packet.EtherTypeIPv4)
	address = native.AppendUint32(address, 3)
	address = native.AppendUint16(address, told.interfaceType)
	address = append(address, told.packetType, 0, 0, 0, 0, 0, 0, 0, 0, 0)
	aux := native.AppendUint32(nil, told.status)
	aux = native.AppendUint32(aux, told.wire)
	aux = native.AppendUint32(aux, uint32(len(data)))
	aux = append(aux, 0, 0, 0, 0)
	aux = native.AppendUint16(native.AppendUint16(aux, told.tci), told.tpid)
	stamp := native.AppendUint64(native.AppendUint64(nil, uint64(told.seconds)), uint64(told.fraction))
	return message{address, slices.Concat(controlMessage(unix.SOL_SOCKET, unix.SCM_TIMESTAMPNS, stamp),
		controlMessage(unix.SOL_PACKET, unix.PACKET_AUXDATA, aux)), data}
}

// controlMessage returns a control message with its header and padding.
func controlMessage(level, kind int32, data []byte) []byte {
	b := make([]byte, unix.CmsgSpace(len(data)))
	header := (*unix.Cmsghdr)(unsafe.Pointer(&b[0]))
	header.Level, header.Type = level, kind
	header.SetLen(unix.CmsgLen(len(data)))
	copy(b[unix.CmsgLen(0):], data)
	return b
}

// put gives the batch of a Source these messages, as fill would.
func put(s *Source, messages ...message) {
	b := &s.batch
	b.next, b.filled = 0, len(messages)
	for i, m := range messages {
		h := &b.headers[i]
		h.message.Namelen = uint32(copy(b.addresses[i][:], m.address))
		h.message.SetControllen(copy(b.controls[i][:], m.control))
		h.length = uint32(copy(b.data[i][:], m.data))
	}
}

// without returns a Source that has no socket: what is put is all that it reads.
func without() *Source {
	s := &Source{fd: -1}
	s.SetLinks(nil)
	return s
}

func TestRead(t *testing.T) {
	var a arrival
	if !a.read(delivered([]byte("abc"), nil)) {
		t.Fatal("a good message is refused")
	}
	if !bytes.Equal(a.data, []byte("abc")) || a.wire != 3 || a.protocol != packet.EtherTypeIPv4 || a.iface != 3 ||
		!a.stamp.Equal(time.Unix(1_700_000_000, 123_456_789)) || a.packetType != unix.PACKET_HOST || a.tag != (Tag{}) {
		t.Errorf("got %+v", a)
	}
	good := delivered([]byte("abc"), nil)
	stamp, aux := good.control[:unix.CmsgSpace(timespecSize)], good.control[unix.CmsgSpace(timespecSize):]
	long := func(length int) []byte {
		b := slices.Clone(stamp)
		(*unix.Cmsghdr)(unsafe.Pointer(&b[0])).SetLen(length)
		return append(b, aux...)
	}
	for _, tt := range []struct {
		name string
		m    message
		good bool
	}{
		{"the other order", message{good.address, slices.Concat(aux, stamp), good.data}, true},
		{"a control message that nobody asked for", message{good.address, slices.Concat(controlMessage(9, 9, []byte("x")), stamp, aux), nil}, true},
		{"the timespec of 32 bits", message{good.address, slices.Concat(controlMessage(unix.SOL_SOCKET, unix.SCM_TIMESTAMPNS, make([]byte, 8)), aux), nil}, true},
		{"less on the wire than captured", delivered([]byte("abc"), func(s *sent) { s.wire = 0 }), true},
		{"a wire without end", delivered([]byte("abc"), func(s *sent) { s.wire = 0xffffffff }), true},
		{"a stamp that is none", delivered([]byte("abc"), func(s *sent) { s.seconds, s.fraction = -1, -1 }), true},
		{"no address", message{nil, good.control, good.data}, false},
		{"half an address", message{good.address[:19], good.control, good.data}, false},
		{"no control messages", message{good.address, nil, good.data}, false},
		{"no stamp", message{good.address, aux, good.data}, false},
		{"a stamp that is cut", message{good.address, slices.Concat(controlMessage(unix.SOL_SOCKET, unix.SCM_TIMESTAMPNS, make([]byte, 7)), aux), nil}, false},
		{"nothing but a stamp", message{good.address, stamp, good.data}, false},
		{"an end in a control message", message{good.address, good.control[:len(good.control)-8], good.data}, false},
		{"a control message shorter than its header", message{good.address, long(3), nil}, false},
		{"a control message longer than all", message{good.address, long(1000), nil}, false},
	} {
		var a arrival
		if got := a.read(tt.m); got != tt.good {
			t.Errorf("%s: read is %v", tt.name, got)
		} else if got && a.wire < len(a.data) {
			t.Errorf("%s: %d captured of %d", tt.name, len(a.data), a.wire)
		}
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
		a.read(delivered(nil, func(s *sent) { s.status, s.tci, s.tpid = unix.TP_STATUS_USER|tt.status, tt.tci, tt.tpid }))
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
		s := without()
		put(s, delivered(datagram(4, 7000, nil), func(s *sent) {
			s.status, s.interfaceType = unix.TP_STATUS_USER|tt.status, tt.interfaceType
		}))
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

// Next skips packets that do not count and messages that contradict themselves.
func TestNextSteps(t *testing.T) {
	s := without()
	forAnother := func(s *sent) { s.packetType = unix.PACKET_OTHERHOST }
	damaged := delivered([]byte{1}, nil)
	damaged.control = nil
	put(s, delivered([]byte{0}, forAnother), damaged, delivered([]byte{2}, nil))
	var f Frame
	if !s.Next(&f) || f.Data[0] != 2 || f.Interface != 3 {
		t.Errorf("got %+v", f)
	}
	if s.Next(&f) {
		t.Errorf("then got %+v", f)
	}
	if s.damaged.Load() != 1 {
		t.Errorf("%d messages made no sense", s.damaged.Load())
	}
	put(s, delivered([]byte{0}, forAnother), delivered([]byte{1}, func(s *sent) { s.packetType = unix.PACKET_OUTGOING }))
	if s.Next(&f) || s.batch.next != s.batch.filled {
		t.Error("Next took a packet that does not count, or left one")
	}
}

func TestNextAllocatesNothing(t *testing.T) {
	s := without()
	m := delivered(datagram(4, 7000, make([]byte, 100)), nil)
	var f Frame
	if n := testing.AllocsPerRun(1000, func() {
		put(s, m)
		if !s.Next(&f) {
			t.Fatal("no frame")
		}
	}); n != 0 {
		t.Errorf("a frame allocates %v times", n)
	}
}

// An idle Source takes little memory: what waits is in the kernel, and only when it came.
func TestSourceIsSmall(t *testing.T) {
	if size := unsafe.Sizeof(Source{}); size > 80<<10 {
		t.Errorf("a Source takes %d bytes: expected 80 KiB at most", size)
	}
}

// FuzzNext hands over arbitrary bytes.
func FuzzNext(f *testing.F) {
	for _, m := range []message{
		delivered(datagram(4, 7000, []byte("knock")), nil),
		delivered(datagram(6, 7000, []byte("knock")), func(s *sent) { s.status |= unix.TP_STATUS_VLAN_VALID }),
	} {
		f.Add(m.address, m.control, m.data)
	}
	f.Fuzz(func(t *testing.T, address, control, data []byte) {
		s := without()
		put(s, message{address, control, data})
		var frame Frame
		taken := s.Next(&frame)
		if taken && (frame.Wire < len(frame.Data) || len(frame.Data) > mostData ||
			frame.Link != packet.IPv4 && frame.Link != packet.IPv6) {
			t.Errorf("got %+v", frame)
		}
		if taken {
			packet.NewDecoder().Decode(frame.Link, frame.Data, frame.Wire, &packet.Packet{})
		}
		if s.Next(&frame) {
			t.Error("a message is read twice")
		}
	})
}
