package packet

import (
	"errors"

	"github.com/google/gopacket"
)

// This file has the layers that gopacket drives. They are our own: the tables of gopacket/layers
// take half of the time of a start of the program, and its IPv6 allocates for each option.

// The types of the layers, in the range that gopacket leaves to programs.
var (
	layerIPv4 = gopacket.RegisterLayerType(1000, gopacket.LayerTypeMetadata{Name: "sesame IPv4"})
	layerIPv6 = gopacket.RegisterLayerType(1001, gopacket.LayerTypeMetadata{Name: "sesame IPv6"})
	layerTCP  = gopacket.RegisterLayerType(1002, gopacket.LayerTypeMetadata{Name: "sesame TCP"})
	layerUDP  = gopacket.RegisterLayerType(1003, gopacket.LayerTypeMetadata{Name: "sesame UDP"})
	layerICMP = gopacket.RegisterLayerType(1004, gopacket.LayerTypeMetadata{Name: "sesame ICMP"})
)

// errUnread ends the decoding of a packet. The layer holds what could be read, and how many bytes
// it needs; the Decoder makes a Drop of that.
var errUnread = errors.New("header cannot be read")

// ip is the layer of IPv4 or of IPv6.
type ip struct {
	header
	read func(*header, []byte) bool
	kind func(*header) Proto
	self gopacket.LayerType

	readable bool   // the headers are whole and do not contradict themselves
	segment  []byte // the captured bytes after the headers, up to the length in the header
}

func (l *ip) CanDecode() gopacket.LayerClass { return l.self }
func (l *ip) LayerPayload() []byte           { return l.segment }

func (l *ip) DecodeFromBytes(data []byte, _ gopacket.DecodeFeedback) error {
	l.segment = nil
	if l.readable = l.read(&l.header, data); !l.readable {
		return errUnread
	}
	l.segment = data[l.size:min(l.length, len(data))]
	return nil
}

// NextLayerType stops before what has no transport header, and before other protocols. So a packet
// inside a tunnel is never taken for one from the network.
func (l *ip) NextLayerType() gopacket.LayerType {
	if l.later {
		return gopacket.LayerTypeZero
	}
	switch l.kind(&l.header) {
	case TCP:
		return layerTCP
	case UDP:
		return layerUDP
	case ICMP:
		return layerICMP
	case NoProto:
	}
	return gopacket.LayerTypeZero
}

// transport is the layer of TCP, UDP or ICMP. The three share one segment.
type transport struct {
	*segment
	read func(*segment, []byte) bool
	self gopacket.LayerType
}

func (l *transport) CanDecode() gopacket.LayerClass    { return l.self }
func (l *transport) NextLayerType() gopacket.LayerType { return gopacket.LayerTypeZero }
func (l *transport) LayerPayload() []byte              { return l.payload }

func (l *transport) DecodeFromBytes(data []byte, _ gopacket.DecodeFeedback) error {
	if l.readable = l.read(l.segment, data); !l.readable {
		return errUnread
	}
	return nil
}

// parser returns a parser of gopacket that begins with a layer. It stops without an error where no
// layer of ours follows, and turns a panic in a layer into an error.
func parser(first *ip, s *segment) *gopacket.DecodingLayerParser {
	var container gopacket.DecodingLayerContainer = gopacket.DecodingLayerArray(nil)
	for _, layer := range []gopacket.DecodingLayer{
		first,
		&transport{segment: s, read: (*segment).readTCP, self: layerTCP},
		&transport{segment: s, read: (*segment).readUDP, self: layerUDP},
		&transport{segment: s, read: (*segment).readICMP, self: layerICMP},
	} {
		container = container.Put(layer)
	}
	p := gopacket.NewDecodingLayerParser(first.self)
	p.SetDecodingLayerContainer(container)
	p.IgnoreUnsupported = true
	return p
}
