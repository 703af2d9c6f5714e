package packet

import "fmt"

// A Kind is the kind of what a frame carries: an EtherType, or a number of another list that takes
// its place. Kinds that are EtherTypes have the same numbers. It is a key for counting.
type Kind uint32

// A list is a list of numbers that kinds come from. It is the upper 8 bits of a Kind.
type list uint8

const (
	etherTypes    list = iota
	protocolsPPP       // IANA, PPP DLL Protocol Numbers
	services           // service access points of LLC (IEEE 802.2)
	organizations      // of SNAP (IEEE OUI)
	families           // address families of the capturing system
	versions           // of IP
	linkTypes
	steps
)

// These kinds are steps on the way to what a frame carries, or the end of a way that leads nowhere.
const (
	llcNext = Kind(steps)<<24 + iota
	pppNext
	underLabels
	oddPPPoE
	oddNFLog
)

func (l list) kind(number uint16) Kind { return Kind(l)<<24 | Kind(number) }

// organizationKind returns the kind of a SNAP frame of an organization that has protocols of its
// own.
func organizationKind(organization uint32) Kind { return Kind(organizations)<<24 | Kind(organization) }

// Kind returns the kind of frames of a link type that is not read.
func (l LinkType) Kind() Kind { return linkTypes.kind(uint16(l)) }

func (k Kind) list() list     { return list(k >> 24) }
func (k Kind) number() uint32 { return uint32(k & 0xffffff) }

// A meaning is what is known of a kind.
type meaning struct {
	name string
	// hides means that frames of this kind can carry an IP packet for this host, which is not read.
	// Others talk about the link, or carry another protocol.
	hides  bool
	remedy string // of a kind that hides packets
}

// String returns the name of the kind, such as "ARP", "PPP LCP" or "EtherType 0x1234". The name of
// frames of a link type that is not read is that of the link type.
func (k Kind) String() string {
	if m, known := meanings[k]; known {
		return m.name
	}
	switch number := k.number(); k.list() {
	case protocolsPPP:
		return fmt.Sprintf("PPP protocol %#04x", number)
	case services:
		return fmt.Sprintf("LLC service %#02x", number)
	case organizations:
		return fmt.Sprintf("SNAP organization %06x", number)
	case families:
		return fmt.Sprintf("address family %d", number)
	case versions:
		return fmt.Sprintf("IP version %d", number)
	case linkTypes:
		return LinkType(number).String()
	case etherTypes, steps:
	}
	return fmt.Sprintf("EtherType %#04x", k.number())
}

// lastNetworkPPP is the last PPP protocol that can carry packets. Those above it control the link
// (RFC 1661, section 2).
const lastNetworkPPP = 0x7fff

// Hides reports whether a frame of this kind can carry an IP packet that Sesame does not see. A
// kind of which nothing is known can.
func (k Kind) Hides() bool {
	if m, known := meanings[k]; known {
		return m.hides
	}
	return k.list() != protocolsPPP || k.number() <= lastNetworkPPP
}

// Remedy returns what to do so that such frames can be read, for a message to a person; "" when
// nothing is known.
func (k Kind) Remedy() string {
	if k.list() == linkTypes {
		return LinkType(k.number()).remedy()
	}
	return meanings[k].remedy
}

const (
	llcList  = Kind(services) << 24
	pppList  = Kind(protocolsPPP) << 24
	snapList = Kind(organizations) << 24
)

// meanings are the kinds of which something is known: EtherTypes (IEEE 802 Numbers of IANA, and
// linux/if_ether.h), PPP protocols (PPP Numbers of IANA) and service access points.
var meanings = map[Kind]meaning{
	EtherTypeIPv4: {name: "IPv4"}, EtherTypeIPv6: {name: "IPv6"},
	0x0804: {name: "Chaosnet"}, 0x0805: {name: "X.25"}, 0x0806: {name: "ARP"}, 0x0842: {name: "Wake-on-LAN"},
	0x0bad: {name: "VINES"}, 0x22ea: {name: "SRP"}, 0x22f0: {name: "AVTP"}, 0x22f4: {name: "IS-IS"},
	0x6001: {name: "MOP"}, 0x6002: {name: "MOP"}, 0x6003: {name: "DECnet"}, 0x6004: {name: "LAT"},
	0x8035: {name: "RARP"}, 0x809b: {name: "AppleTalk"}, 0x80f3: {name: "AARP"}, 0x8137: {name: "IPX"},
	0x8808: {name: "Ethernet flow control"}, 0x8809: {name: "slow protocols"}, 0x8863: {name: "PPPoE discovery"},
	0x887b: {name: "HomePlug"}, 0x888e: {name: "EAPOL"}, 0x8892: {name: "PROFINET"}, 0x8899: {name: "RRCP"},
	0x88a2: {name: "ATA over Ethernet"}, 0x88a4: {name: "EtherCAT"}, 0x88ab: {name: "POWERLINK"},
	0x88b8: {name: "GOOSE"}, 0x88b9: {name: "GSE"}, 0x88ba: {name: "Sampled Values"}, 0x88c7: {name: "802.11i"},
	0x88cc: {name: "LLDP"}, 0x88cd: {name: "SERCOS"}, 0x88e1: {name: "HomePlug AV"}, 0x88e3: {name: "MRP"},
	0x88f5: {name: "MVRP"}, 0x88f6: {name: "MMRP"}, 0x88f7: {name: "PTP"}, 0x88fb: {name: "PRP"},
	0x8902: {name: "CFM"}, 0x8906: {name: "FCoE"}, 0x8914: {name: "FIP"}, 0x8915: {name: "RoCE"},
	0x893a: {name: "IEEE 1905.1"}, 0x9000: {name: "loopback test"}, 0x000c: {name: "CAN"},

	0x4305:           {"BATMAN", true, "record on the interface of the mesh, such as bat0"},
	etherTypeERSPAN3: {"ERSPAN III", true, "look into it: --decap erspan"},
	etherTypeERSPAN:  {"ERSPAN", true, "look into it: --decap erspan"},
	0x22f3:           {"TRILL", true, ""}, 0x8903: {"FabricPath", true, ""}, 0x8926: {"VN-Tag", true, ""},
	0x880b:           {"PPP in Ethernet", true, ""},
	0x876b:           {"compressed TCP/IP", true, "turn the compression of headers off"},
	0x88e5:           {"MACsec", true, "record on the MACsec interface, such as macsec0: there the packets are decrypted"},
	0x88e7:           {"802.1ah", true, "record behind the bridge that removes the outer header"},
	0x892f:           {"HSR", true, "record on the interface of the ring, such as hsr0"},
	0x894f:           {"NSH", true, "record behind the service function that removes the header"},
	0xd00d:           {"DSA tag", true, "record on the port's own interface, behind the switch's tag"},
	etherTypeBridged: {"bridged Ethernet", true, ""},

	llcList: {name: "LLC null"}, llcList | 0x42: {name: "STP"}, llcList | 0xe0: {name: "IPX"},
	llcList | 0xf0: {name: "NetBIOS"}, llcList | 0xfe: {name: "OSI"}, llcList | 0xff: {name: "IPX"},
	snapList | 0x00000c: {name: "Cisco SNAP"}, snapList | 0x080007: {name: "AppleTalk"},

	pppList | 0x0023: {name: "PPP OSI"}, pppList | 0x0027: {name: "PPP DECnet"}, pppList | 0x0029: {name: "PPP AppleTalk"},
	pppList | 0x002b: {name: "PPP IPX"}, pppList | 0x003f: {name: "PPP NetBIOS"},
	pppList | 0x8021: {name: "PPP IPCP"}, pppList | 0x8057: {name: "PPP IPV6CP"}, pppList | 0x8053: {name: "PPP ECP"},
	pppList | 0x80fd: {name: "PPP CCP"}, pppList | 0xc021: {name: "PPP LCP"}, pppList | 0xc023: {name: "PPP PAP"},
	pppList | 0xc025: {name: "PPP LQR"}, pppList | 0xc223: {name: "PPP CHAP"}, pppList | 0xc227: {name: "PPP EAP"},

	pppList | 0x002d: {"PPP compressed TCP", true, "turn it off (pppd: novj)"},
	pppList | 0x002f: {"PPP uncompressed TCP", true, "turn the compression of headers off (pppd: novj)"},
	pppList | 0x0031: {"PPP bridging", true, ""},
	pppList | 0x003d: {"PPP multilink", true, "record on the interface of the bundle, such as ppp0"},
	pppList | 0x0053: {"PPP encrypted", true, "record on the interface of the link, such as ppp0"},
	pppList | 0x0055: {"PPP encrypted", true, "record on the interface of the link, such as ppp0"},
	pppList | 0x00fb: {"PPP compressed", true, "record on the interface of the link, such as ppp0, or turn compression off (pppd: noccp)"},
	pppList | 0x00fd: {"PPP compressed", true, "record on the interface of the link, such as ppp0, or turn compression off (pppd: noccp)"},

	underLabels: {"MPLS", true, "record where the labels are removed"},
	oddPPPoE:    {"PPPoE", true, ""},
	oddNFLog:    {"NFLOG", true, ""},
}
