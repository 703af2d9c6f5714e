package firewall

import (
	"slices"
	"time"

	"github.com/google/nftables"
	"golang.org/x/sys/unix"
)

// guardTable is our table. As nft lists it:
//
//	table inet sesame {
//		counter dropped, observed, unlisted
//		counter restored_NUMBER          counts nothing, see Guard.Whole
//		set guarded, watched             proto . port: dropped, or only counted
//		set trusted4, trusted6           networks
//		set interfaces                   names of trusted interfaces
//		set grants4, grants6             source . proto . port, each with its end
//		set networks4, networks6         the same for networks
//		set exempt4, exempt6             what doors granted that only observe
//		set stopped4, stopped6           sources that a guard would stop at a watched port
//		set refused4, refused6           sources that were refused at a guarded port
//		set traced4, traced6             sources whose packets were traced a moment ago
//		set quiet                        families whose packets are not traced
//		set begun4, begun6               flows that began a moment ago, in place of traces
//		set standing4, standing6         UDP flows from before the guard
//		map closed, asked                a guarded TCP port to its stand-in, and back
//		set stand_ins                    proto . port: the ports of closed
//		set inner                        proto . port of containers that guarded ports lead to
//		set cut4, cut6                   source . proto . port: sessions that are cut
//		set cut_networks4, cut_networks6 the same for networks
//		set late                         see lateRules
//		chain guard, input and others    see guardChains
//	}
//
// The names are what an older version's table is compared with, so none may change
// without need: a table that differs is made anew.
var guardTable = table{unix.NFPROTO_INET, "sesame"}

const (
	// stoppedLife is how long a source that a guard would stop is listed after its last
	// packet.
	stoppedLife = time.Hour
	// stoppedSize bounds how many are listed. A sender that forges source addresses can
	// fill the set; no new source is listed then, while all packets are still counted.
	stoppedSize = 4096
	// standingLife is how long a flow from before the guard is listed after its last packet
	// from outside. The kernel forgets the flow itself much earlier, and then it has ended.
	standingLife = 24 * time.Hour
	// standingSize bounds these flows, and maxStanding those that one install adds.
	standingSize = 1 << 17
	maxStanding  = 1 << 15
	// lateLife is longer than the kernel takes to answer a packet. lateSize bounds the pairs of
	// ports in that time; beyond it nft answers.
	lateLife = time.Second
	lateSize = 1 << 14
)

// guardSets defines the sets of our table. Addresses of the two families need sets of their
// own, since the keys of a set have one length.
var guardSets = slices.Concat([]set{
	{name: "guarded", fields: grantKey4[1:]},
	{name: "watched", fields: grantKey4[1:]},
	{name: "trusted4", fields: grantKey4[:1], interval: true},
	{name: "trusted6", fields: grantKey6[:1], interval: true},
	{name: "interfaces", fields: []nftables.SetDatatype{nftables.TypeIFName}},
	{name: "grants4", fields: grantKey4, timeout: true},
	{name: "grants6", fields: grantKey6, timeout: true},
	{name: "networks4", fields: grantKey4, interval: true, timeout: true},
	{name: "networks6", fields: grantKey6, interval: true, timeout: true},
	{name: "exempt4", fields: grantKey4, timeout: true},
	{name: "exempt6", fields: grantKey6, timeout: true},
	{name: "stopped4", fields: grantKey4, timeout: true, dynamic: true, life: stoppedLife, size: stoppedSize},
	{name: "stopped6", fields: grantKey6, timeout: true, dynamic: true, life: stoppedLife, size: stoppedSize},
	{name: "refused4", fields: grantKey4, timeout: true, dynamic: true, life: refusedLife, size: refusedSize},
	{name: "refused6", fields: grantKey6, timeout: true, dynamic: true, life: refusedLife, size: refusedSize},
	{name: "traced4", fields: grantKey4, timeout: true, dynamic: true, life: tracedLife, size: tracedSize},
	{name: "traced6", fields: grantKey6, timeout: true, dynamic: true, life: tracedLife, size: tracedSize},
	{name: "quiet", fields: []nftables.SetDatatype{nftables.TypeNFProto}, lasting: true},
	{name: "begun4", fields: append(slices.Clone(flowKey4), nftables.TypeInetProto), timeout: true, dynamic: true, life: begunLife, size: begunSize},
	{name: "begun6", fields: append(slices.Clone(flowKey6), nftables.TypeInetProto), timeout: true, dynamic: true, life: begunLife, size: begunSize},
	{name: "standing4", fields: flowKey4, timeout: true, dynamic: true, life: standingLife, size: standingSize},
	{name: "standing6", fields: flowKey6, timeout: true, dynamic: true, life: standingLife, size: standingSize},
	{name: "closed", fields: grantKey4[2:], values: grantKey4[2:]},
	{name: "asked", fields: grantKey4[2:], values: grantKey4[2:]},
	{name: "stand_ins", fields: grantKey4[1:]},
	{name: "inner", fields: grantKey4[1:]},
	{name: "late", fields: []nftables.SetDatatype{nftables.TypeInetService, nftables.TypeInetService}, timeout: true, dynamic: true, life: lateLife, size: lateSize},
}, cutDefinitions())

// The keys of a grant. Other sets have some of their fields.
var (
	grantKey4 = []nftables.SetDatatype{nftables.TypeIPAddr, nftables.TypeInetProto, nftables.TypeInetService}
	grantKey6 = []nftables.SetDatatype{nftables.TypeIP6Addr, nftables.TypeInetProto, nftables.TypeInetService}
)

// The keys of a flow: the source and its port, the destination and its port.
var (
	flowKey4 = []nftables.SetDatatype{nftables.TypeIPAddr, nftables.TypeInetService, nftables.TypeIPAddr, nftables.TypeInetService}
	flowKey6 = []nftables.SetDatatype{nftables.TypeIP6Addr, nftables.TypeInetService, nftables.TypeIP6Addr, nftables.TypeInetService}
)

var grantSets = []sourceSet{
	{table: guardTable, name: "grants4", layout: sourcePort},
	{table: guardTable, name: "grants6", v6: true, layout: sourcePort},
	{table: guardTable, name: "networks4", layout: sourcePort, interval: true},
	{table: guardTable, name: "networks6", v6: true, layout: sourcePort, interval: true},
}

// exemptSets hold the grants of doors that only observe. They give no access. Their sources are
// not counted as sources that a guard would stop.
var exemptSets = []sourceSet{
	{table: guardTable, name: "exempt4", layout: sourcePort, observed: true},
	{table: guardTable, name: "exempt6", v6: true, layout: sourcePort, observed: true},
}

// heldSets are all sets that hold elements, see [effect.Element].
var heldSets = slices.Concat(grantSets, exemptSets)

var stoppedSets = []sourceSet{
	{table: guardTable, name: "stopped4", layout: sourcePort},
	{table: guardTable, name: "stopped6", v6: true, layout: sourcePort},
}

var refusedSets = []sourceSet{
	{table: guardTable, name: "refused4", layout: sourcePort},
	{table: guardTable, name: "refused6", v6: true, layout: sourcePort},
}

// tracedSets are those whose elements limit how many packets of a source are traced.
var tracedSets = []sourceSet{
	{table: guardTable, name: "traced4", layout: sourcePort},
	{table: guardTable, name: "traced6", v6: true, layout: sourcePort},
}

// begunSets are in the order of tracedSets. Their keys are those of flows, and the protocol.
var begunSets = []struct {
	name string
	v6   bool
}{{"begun4", false}, {"begun6", true}}

var standingSets = []struct {
	name string
	v6   bool
}{{"standing4", false}, {"standing6", true}}

// unlisted counts packets of refused sources that were not put into refused4 and refused6.
var guardCounters = []string{"dropped", "observed", "unlisted"}
