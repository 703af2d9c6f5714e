package firewall

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/google/nftables/expr"
	"github.com/google/nftables/userdata"
	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// A message is one command or question to nftables. Its attributes are written by
// the netlink library, and the message is sent by our socket: google/nftables requests
// an echo of every rule and an acknowledgement of every command, and reports neither
// which command failed nor how many answers to wait for.
type message struct {
	subsystem uint16 // of nfnetlink; 0: nftables
	kind      uint16 // NFT_MSG_...
	flags     uint16 // beside NLM_F_REQUEST
	family    uint8
	body      []byte // attributes
	what      string // it is about, for people
	err       error  // why the attributes could not be written
}

// number returns the kind with the subsystem, as in a netlink header.
func (m message) number() uint16 {
	return cmp.Or(m.subsystem, unix.NFNL_SUBSYS_NFTABLES)<<8 | m.kind
}

// maxAttribute is how long an attribute may be: its length has 16 bits.
const maxAttribute = 1<<16 - 1

// newMessage returns a message with these attributes. Its error means that one is too long.
// It is found here also when it is inside another: the outer one is longer.
func newMessage(kind, flags uint16, family uint8, what string, all ...netlink.Attribute) message {
	body, err := netlink.MarshalAttributes(all)
	if slices.ContainsFunc(all, func(a netlink.Attribute) bool { return len(a.Data) > maxAttribute-unix.SizeofNlAttr }) {
		err = fmt.Errorf("an attribute of more than %d bytes", maxAttribute)
	}
	return message{kind: kind, flags: flags, family: family, body: body, what: what, err: err}
}

// named returns a message about a table, or about something in it: in messages of all kinds
// attribute 1 is the name of the table, and 2 is the name of the chain or set.
func (t table) named(kind, flags uint16, what string, names ...string) message {
	all := []netlink.Attribute{text(1, t.name)}
	for i, name := range names {
		all = append(all, text(uint16(i)+2, name))
	}
	return newMessage(kind, flags, t.family, what, all...)
}

func text(kind uint16, s string) netlink.Attribute {
	return netlink.Attribute{Type: kind, Data: append([]byte(s), 0)}
}

// Numbers of nftables are in network byte order.
func uint32Of(kind uint16, n uint32) netlink.Attribute {
	return netlink.Attribute{Type: kind, Data: binary.BigEndian.AppendUint32(nil, n)}
}

func uint64Of(kind uint16, n uint64) netlink.Attribute {
	return netlink.Attribute{Type: kind, Data: binary.BigEndian.AppendUint64(nil, n)}
}

// nested puts attributes into one.
func nested(kind uint16, all ...netlink.Attribute) netlink.Attribute {
	data, _ := netlink.MarshalAttributes(all) // fails only for lengths that newMessage refuses
	return netlink.Attribute{Type: kind | unix.NLA_F_NESTED, Data: data}
}

// Numbers of include/uapi/linux/netfilter/nf_tables.h that the library and the unix
// package lack, or hide, and of nft's own notes on a set (its byteorder).
const (
	setDescConcat  = 2  // NFTA_SET_DESC_CONCAT
	setElemKeyEnd  = 10 // NFTA_SET_ELEM_KEY_END
	setElemExprs   = 11 // NFTA_SET_ELEM_EXPRESSIONS
	setConcat      = 0x80
	objectCounter  = 1
	verdictAccept  = 1
	bigEndianKeys  = 2 // in nft's own notes on a set
	hostEndianKeys = 1
)

// A table is one of nftables' tables.
type table struct {
	family uint8
	name   string
}

// add makes the table, which must not be there yet, or wakes one that another program
// put to sleep.
func (t table) add(exists bool) message {
	return newMessage(unix.NFT_MSG_NEWTABLE, create(exists), t.family, "table "+t.name,
		text(unix.NFTA_TABLE_NAME, t.name), uint32Of(unix.NFTA_TABLE_FLAGS, 0))
}

// create returns the flags of a message that makes something. With NLM_F_EXCL the kernel
// refuses it when another program has made it since we looked.
func create(exists bool) uint16 {
	if exists {
		return unix.NLM_F_CREATE
	}
	return unix.NLM_F_CREATE | unix.NLM_F_EXCL
}

// remove removes the table with all that is in it.
func (t table) remove() message {
	return t.named(unix.NFT_MSG_DELTABLE, 0, "table "+t.name)
}

// A chain is a base chain that accepts what no rule drops, or one that rules call. The latter
// has no kind, no hook and no priority.
type chain struct {
	name     string
	kind     string // "filter", "nat" or "route"; "": rules call it
	hook     uint32
	priority int32
}

// addChain makes a chain, which must not be there yet.
func (t table) addChain(c chain) message {
	all := []netlink.Attribute{text(unix.NFTA_CHAIN_TABLE, t.name), text(unix.NFTA_CHAIN_NAME, c.name)}
	if c.kind != "" {
		all = append(all,
			nested(unix.NFTA_CHAIN_HOOK,
				uint32Of(unix.NFTA_HOOK_HOOKNUM, c.hook), uint32Of(unix.NFTA_HOOK_PRIORITY, uint32(c.priority))),
			uint32Of(unix.NFTA_CHAIN_POLICY, verdictAccept),
			text(unix.NFTA_CHAIN_TYPE, c.kind))
	}
	return newMessage(unix.NFT_MSG_NEWCHAIN, create(false), t.family, "chain "+c.name, all...)
}

// flushChain removes the rules of a chain: a message to delete rules that names none.
func (t table) flushChain(name string) message {
	return t.named(unix.NFT_MSG_DELRULE, 0, "rules of chain "+name, name)
}

// A rule is its expressions, with a comment for those who list the table.
type rule struct {
	comment string
	exprs   []expr.Any
}

// addRule appends a rule to a chain.
func (t table) addRule(chain string, r rule) message {
	var list []netlink.Attribute
	for _, e := range r.exprs {
		data, err := expr.Marshal(t.family, e)
		if err != nil {
			return message{what: "rule " + r.comment, err: err}
		}
		list = append(list, netlink.Attribute{Type: unix.NFTA_LIST_ELEM | unix.NLA_F_NESTED, Data: data})
	}
	return newMessage(unix.NFT_MSG_NEWRULE, unix.NLM_F_CREATE|unix.NLM_F_APPEND, t.family, "rule "+r.comment,
		text(unix.NFTA_RULE_TABLE, t.name),
		text(unix.NFTA_RULE_CHAIN, chain),
		nested(unix.NFTA_RULE_EXPRESSIONS, list...),
		netlink.Attribute{Type: unix.NFTA_RULE_USERDATA, Data: userdata.AppendString(nil, userdata.TypeComment, r.comment)})
}

// addCounter makes a counter of the table, and leaves one that counts alone.
func (t table) addCounter(name string) message {
	return newMessage(unix.NFT_MSG_NEWOBJ, unix.NLM_F_CREATE, t.family, "counter "+name,
		text(unix.NFTA_OBJ_TABLE, t.name),
		text(unix.NFTA_OBJ_NAME, name),
		uint32Of(unix.NFTA_OBJ_TYPE, objectCounter),
		nested(unix.NFTA_OBJ_DATA, uint64Of(unix.NFTA_COUNTER_BYTES, 0), uint64Of(unix.NFTA_COUNTER_PACKETS, 0)))
}
