package firewall

import (
	"encoding/binary"
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"

	"sesame/daemon/packet"
	"sesame/daemon/reach"
)

// written returns a message as the kernel writes it.
func traceOf(t testing.TB, family byte, all ...netlink.Attribute) netlink.Message {
	body, err := netlink.MarshalAttributes(all)
	must(t, err)
	return netlink.Message{
		Header: netlink.Header{Type: unix.NFNL_SUBSYS_NFTABLES<<8 | unix.NFT_MSG_TRACE},
		Data:   append([]byte{family, 0, 0, 0}, body...),
	}
}

func traceID(id uint32) netlink.Attribute {
	return netlink.Attribute{Type: unix.NFTA_TRACE_ID, Data: binary.NativeEndian.AppendUint32(nil, id)}
}

func verdictCode(code int32) netlink.Attribute {
	return nested(unix.NFTA_TRACE_VERDICT, uint32Of(unix.NFTA_VERDICT_CODE, uint32(code)))
}

// TestTraceMessage reads what the kernel writes.
func TestTraceMessage(t *testing.T) {
	where := []netlink.Attribute{traceID(7), text(unix.NFTA_TRACE_TABLE, "filter"), text(unix.NFTA_TRACE_CHAIN, "INPUT")}
	rule := func(code int32) netlink.Message {
		return traceOf(t, unix.NFPROTO_IPV4, append(where[:3:3], uint32Of(unix.NFTA_TRACE_TYPE, unix.NFT_TRACETYPE_RULE),
			uint64Of(unix.NFTA_TRACE_RULE_HANDLE, 9), verdictCode(code))...)
	}
	of := reach.Message{ID: 7, Table: "ip filter", Chain: "INPUT", Handle: 9}
	with := func(v reach.Verdict) reach.Message { m := of; m.Verdict = v; return m }
	policy := with(reach.Drop)
	policy.Handle = 0
	back := of
	back.Handle = 0
	for _, tt := range []struct {
		name string
		in   netlink.Message
		want reach.Message
	}{
		{"drop", rule(0), with(reach.Drop)},
		{"drop, with an errno", rule(int32(-0x00010000)), with(reach.Drop)},
		{"accept", rule(1), with(reach.Accept)},
		{"stolen", rule(2), with(reach.Stolen)},
		{"a queue", rule(3 | 5<<16), with(reach.Stolen)},
		{"again", rule(4), with(reach.Continue)},
		{"continue", rule(-1), with(reach.Continue)},
		{"jump", rule(-3), with(reach.Continue)},
		{"return", rule(-5), with(reach.Continue)},
		{"a policy", traceOf(t, unix.NFPROTO_IPV4, append(where[:3:3], uint32Of(unix.NFTA_TRACE_TYPE, unix.NFT_TRACETYPE_POLICY), uint32Of(unix.NFTA_TRACE_POLICY, 0))...), policy},
		{"the end of a chain", traceOf(t, unix.NFPROTO_IPV4, append(where[:3:3], uint32Of(unix.NFTA_TRACE_TYPE, unix.NFT_TRACETYPE_RETURN))...), back},
	} {
		if got, ok := traceMessage(tt.in); !ok || got != tt.want {
			t.Errorf("%s: %+v, %v", tt.name, got, ok)
		}
	}
	for name, m := range map[string]netlink.Message{
		"no number":   traceOf(t, unix.NFPROTO_IPV4, where[1:]...),
		"no header":   {Header: netlink.Header{Type: unix.NFNL_SUBSYS_NFTABLES<<8 | unix.NFT_MSG_TRACE}, Data: []byte{2}},
		"of no trace": {Header: netlink.Header{Type: unix.NFNL_SUBSYS_NFTABLES<<8 | unix.NFT_MSG_NEWRULE}, Data: make([]byte, 20)},
	} {
		if got, ok := traceMessage(m); ok {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

// TestFlowFrom reads the headers of both families.
func TestFlowFrom(t *testing.T) {
	for _, tt := range []crafted{
		{from: netip.MustParseAddr("198.51.100.9"), to: netip.MustParseAddr("198.51.100.1"), sport: 40000, dport: 22, flags: tcpSYN},
		{from: netip.MustParseAddr("2001:db8::9"), to: netip.MustParseAddr("2001:db8::1"), sport: 40000, dport: 53, udp: true},
	} {
		b, length := tt.bytes(), 20
		proto := packet.TCP
		if tt.from.Is6() {
			length = 40
		}
		if tt.udp {
			proto = packet.UDP
		}
		want := reach.Flow{Proto: proto, Source: netip.AddrPortFrom(tt.from, tt.sport), Destination: netip.AddrPortFrom(tt.to, tt.dport)}
		same := cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b })
		if diff := cmp.Diff(want, flowFrom(b[:length], b[length:length+8]), same); diff != "" {
			t.Errorf("flow (-want +got):\n%s", diff)
		}
		for cut := range length {
			if got := flowFrom(b[:cut], b[length:length+8]); got != (reach.Flow{}) {
				t.Errorf("%d bytes of a header: %+v", cut, got)
			}
		}
		if got := flowFrom(b[:length], b[length:length+3]); got != (reach.Flow{}) {
			t.Errorf("three bytes of a port: %+v", got)
		}
	}
}

// FuzzTrace: no message makes the reader fail, and a follower that gets it stays within its bounds.
func FuzzTrace(f *testing.F) {
	syn := crafted{from: netip.MustParseAddr("198.51.100.9"), to: netip.MustParseAddr("198.51.100.1"), sport: 40000, dport: 22, flags: tcpSYN}.bytes()
	f.Add(traceOf(f, unix.NFPROTO_INET, traceID(1), text(unix.NFTA_TRACE_TABLE, "sesame"), text(unix.NFTA_TRACE_CHAIN, "tracked"),
		uint32Of(unix.NFTA_TRACE_TYPE, unix.NFT_TRACETYPE_RULE), verdictCode(1),
		netlink.Attribute{Type: unix.NFTA_TRACE_NETWORK_HEADER, Data: syn[:20]}, netlink.Attribute{Type: unix.NFTA_TRACE_TRANSPORT_HEADER, Data: syn[20:40]}).Data)
	f.Add(traceOf(f, unix.NFPROTO_IPV4, traceID(1), text(unix.NFTA_TRACE_TABLE, "filter"), text(unix.NFTA_TRACE_CHAIN, "INPUT"), verdictCode(0)).Data)
	f.Fuzz(func(t *testing.T, data []byte) {
		follower := reach.NewFollower(traceNames)
		m, ok := traceMessage(netlink.Message{Header: netlink.Header{Type: unix.NFNL_SUBSYS_NFTABLES<<8 | unix.NFT_MSG_TRACE}, Data: data})
		if !ok {
			return
		}
		ended, ours := follower.Add(m, later(0))
		if ended != nil || follower.Followed() > 1 || ours != (follower.Followed() == 1) {
			t.Errorf("%+v: %+v, %v", m, ended, ours)
		}
		if ours && (m.Flow.Port().Proto == packet.NoProto || !m.Flow.Source.IsValid()) {
			t.Errorf("a flow without a source: %+v", m)
		}
		connOf(packet.TCP, parse(data))
	})
}

// TestBegunFlow reads the keys of both families, and no others.
func TestBegunFlow(t *testing.T) {
	key4 := []byte{198, 51, 100, 9, 0x9c, 0x40, 0, 0, 198, 51, 100, 1, 0, 22, 0, 0, 6, 0, 0, 0}
	want := reach.Flow{Proto: packet.TCP, Source: netip.MustParseAddrPort("198.51.100.9:40000"), Destination: netip.MustParseAddrPort("198.51.100.1:22")}
	if got, ok := begunFlow(key4, false); !ok || got != want {
		t.Errorf("%+v, %v", got, ok)
	}
	key6 := make([]byte, 44)
	key6[0], key6[17], key6[20], key6[37], key6[40] = 0x20, 9, 0x30, 53, 17
	want = reach.Flow{Proto: packet.UDP, Source: netip.MustParseAddrPort("[2000::]:9"), Destination: netip.MustParseAddrPort("[3000::]:53")}
	if got, ok := begunFlow(key6, true); !ok || got != want {
		t.Errorf("%+v, %v", got, ok)
	}
	other := append(key4[:16:16], 1, 0, 0, 0)
	for _, key := range [][]byte{nil, key4[:19], key6, other} {
		if got, ok := begunFlow(key, false); ok {
			t.Errorf("%v: %+v", key, got)
		}
	}
}
