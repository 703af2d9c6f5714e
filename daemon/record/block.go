package record

import (
	"encoding/binary"

	"sesame/daemon/packet"
)

// This file appends the blocks of a pcapng file that other programs understand: the section, the
// interfaces, the packets.

const (
	optionComment  = 1
	optionName     = 2 // if_name
	optionNote     = 3 // if_description
	optionFlags    = 2 // epb_flags
	optionPacketID = 5 // epb_packetid
)

// described is the description of our interfaces. mergecap may put another capture's packets before
// our secrets, and this says that secrets of ours may follow.
const described = "recorded by Sesame"

// appendSection appends a section header with the name of the program.
func appendSection(b []byte) []byte {
	const application, name = 4, "Sesame\x00\x00" // shb_userappl
	const length = uint32(blockFrame + 16 + 4 + len(name) + 4)
	const unknown = 1<<32 - 1 // half of the length of the section
	b = appendWords(b, magicPcapng, length, byteOrderMagic, 1, unknown, unknown, application|6<<16)
	b = append(b, name...)
	return appendWords(b, optionEnd, length)
}

// appendInterface appends an interface with times in nanoseconds. Its link type is SLL2: libpcap
// reads no file with two interfaces of link type RAW, since it compares 101 with its own number 12.
func appendInterface(b []byte, name string) []byte {
	const nanoseconds = "\x09" // the power of 10
	options := appendOption(nil, optionName, name)
	options = appendOption(options, optionNote, described)
	options = appendOption(options, optionResolution, nanoseconds)
	length := uint32(blockFrame + 8 + len(options) + 4)
	b = appendWords(b, blockInterface, length, uint32(packet.SLL2), MaxFrame)
	return appendWords(append(b, options...), optionEnd, length)
}

func appendOption(b []byte, code uint16, value string) []byte {
	b = appendWords(b, uint32(code)|uint32(len(value))<<16)
	return appendPadded(b, []byte(value))
}

const (
	cookedHeader = 20     // of LINKTYPE_LINUX_SLL2
	noHardware   = 0xfffe // ARPHRD_NONE
	hardLoopback = 772    // ARPHRD_LOOPBACK
)

// appendCooked appends the header of a packet for LINKTYPE_LINUX_SLL2. It has the interface. The
// address of the sender is not recorded.
func appendCooked(b []byte, p *stored) []byte {
	protocol, hardware := uint16(packet.EtherTypeIPv4), uint16(noHardware)
	if len(p.data) > 0 && p.data[0]>>4 == 6 {
		protocol = packet.EtherTypeIPv6
	}
	if p.reception&packet.Loopback != 0 {
		hardware = hardLoopback
	}
	b = append(binary.BigEndian.AppendUint16(b, protocol), 0, 0)
	b = binary.BigEndian.AppendUint32(b, p.iface)
	b = binary.BigEndian.AppendUint16(b, hardware)
	return append(b, make([]byte, 10)...) // packet type, length of the address, address
}

// appendPacketBlock appends an enhanced packet block. Source is the number of the interface in the
// file.
func appendPacketBlock(b []byte, p *stored, source uint32, run uint64, at place) []byte {
	from, size := len(b), cookedHeader+len(p.data)
	b = appendWords(b, blockEnhanced, 0, source, uint32(uint64(p.at)>>32), uint32(p.at), uint32(size), uint32(cookedHeader+p.wire))
	b = appendPadded(appendCooked(b, p), p.data) // the header is a multiple of 4
	if p.reception&packet.Vouched != 0 {
		b = appendWords(b, optionFlags|4<<16, flagChecksumValid)
	}
	b = ours.AppendUint64(appendWords(b, optionPacketID|8<<16), p.number)
	b = appendWords(appendPlace(b, p, run, at), optionEnd)
	length := uint32(len(b) - from + 4)
	binary.LittleEndian.PutUint32(b[from+4:], length)
	return appendWords(b, length)
}

// appendPlace appends the option that says where a packet stands.
func appendPlace(b []byte, p *stored, run uint64, at place) []byte {
	flags := byte(0)
	if p.reception&packet.Loopback != 0 {
		flags = flagLoopback
	}
	b = appendWords(b, optionCustom|(4+placeSize)<<16, enterprise)
	b = ours.AppendUint32(append(b, secretsForm, flags, 0, 0), p.iface)
	for _, n := range []uint64{run, at.inputs, at.packets, p.linkDigest, checksum(uint64(p.at), p.wire, p.data)} {
		b = ours.AppendUint64(b, n)
	}
	return b
}

// appendWords appends numbers. Two numbers of 16 bits are one word, with the second shifted.
func appendWords(b []byte, words ...uint32) []byte {
	for _, word := range words {
		b = binary.LittleEndian.AppendUint32(b, word)
	}
	return b
}

// appendPadded appends data, and zeros up to a multiple of 4 bytes.
func appendPadded(b, data []byte) []byte {
	b = append(b, data...)
	return append(b, "\x00\x00\x00"[:-len(data)&3]...)
}
