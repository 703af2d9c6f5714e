package firewall

import (
	"encoding/binary"
	"net/netip"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"

	"sesame/daemon/packet"
	"sesame/daemon/reach"
)

// traceNames are where traces of granted packets begin and end in our table.
var traceNames = reach.Names{
	Table: guardTable.String(),
	Begin: trackedChain.name, Untracked: untrackedChain.name,
	Last: []string{inputChain.name, forwardChain.name},
}

// traceMessage reads one message of the group NFNLGRP_NFTRACE. False: it is none.
func traceMessage(m netlink.Message) (reach.Message, bool) {
	if m.Header.Type != unix.NFNL_SUBSYS_NFTABLES<<8|unix.NFT_MSG_TRACE || len(m.Data) < 4 {
		return reach.Message{}, false
	}
	a := parse(m.Data[4:])
	id := a.bytes(unix.NFTA_TRACE_ID) // the only number here in the order of the host
	if len(id) != 4 {
		return reach.Message{}, false
	}
	message := reach.Message{
		ID:     binary.NativeEndian.Uint32(id),
		Table:  table{m.Data[0], a.text(unix.NFTA_TRACE_TABLE)}.String(),
		Chain:  a.text(unix.NFTA_TRACE_CHAIN),
		Handle: a.number(unix.NFTA_TRACE_RULE_HANDLE),
		Flow:   flowFrom(a.bytes(unix.NFTA_TRACE_NETWORK_HEADER), a.bytes(unix.NFTA_TRACE_TRANSPORT_HEADER)),
	}
	code := a.number(unix.NFTA_TRACE_VERDICT, unix.NFTA_VERDICT_CODE)
	if a.number(unix.NFTA_TRACE_TYPE) == unix.NFT_TRACETYPE_POLICY {
		message.Handle, code = 0, a.number(unix.NFTA_TRACE_POLICY)
	} else if a.bytes(unix.NFTA_TRACE_VERDICT) == nil {
		return message, true // the chain returns
	}
	message.Verdict = verdictNumber(uint32(code))
	return message, true
}

// verdictNumber reads a verdict (include/uapi/linux/netfilter.h). The number of a queue is in the
// upper half.
func verdictNumber(code uint32) reach.Verdict {
	switch int32(code) {
	case -1, -2, -3, -4, -5: // NFT_CONTINUE to NFT_RETURN
		return reach.Continue
	}
	switch code & 0xffff {
	case 0: // NF_DROP; the upper half may hold an errno
		return reach.Drop
	case 1, 5: // NF_ACCEPT, NF_STOP
		return reach.Accept
	case 2, 3: // NF_STOLEN, NF_QUEUE
		return reach.Stolen
	}
	return reach.Continue
}

// flowFrom reads the headers of a traced packet. The kernel copies 40 bytes of the network header
// and 20 of the transport header at most. The zero Flow: the headers are not those of TCP or UDP.
func flowFrom(network, transport []byte) reach.Flow {
	if len(network) < 20 || len(transport) < 4 {
		return reach.Flow{}
	}
	var source, destination []byte
	var protocol byte
	switch network[0] >> 4 {
	case 4: // RFC 791, section 3.1
		protocol, source, destination = network[9], network[12:16], network[16:20]
	case 6: // RFC 8200, section 3
		if len(network) < 40 {
			return reach.Flow{}
		}
		protocol, source, destination = network[6], network[8:24], network[24:40]
	}
	proto := protocolOf(protocol)
	if proto == packet.NoProto {
		return reach.Flow{}
	}
	return reach.Flow{
		Proto:       proto,
		Source:      netip.AddrPortFrom(addressOf(source), binary.BigEndian.Uint16(transport)),
		Destination: netip.AddrPortFrom(addressOf(destination), binary.BigEndian.Uint16(transport[2:])),
	}
}
