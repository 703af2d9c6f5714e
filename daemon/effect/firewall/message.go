package firewall

import (
	"encoding/binary"

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
	kind   uint16 // NFT_MSG_...
	flags  uint16 // beside NLM_F_REQUEST
	family uint8
	body   []byte // attributes
	what   string // it is about, for people
	err    error  // why the attributes could not be written
}

// maxAttribute is how long an attribute may be: its length has 16 bits.
const maxAttribute = 1<<16 - 1

// newMessage returns a message with the attributes that fill writes. Those of
// nftables are in network byte order.
func newMessage(kind, flags uint16, family uint8, what string, fill func(*netlink.AttributeEncoder)) message {
	body, err := attributes(fill)
	return message{kind, flags, family, body, what, err}
}

// attributes returns what fill writes. It fails for an attribute that is too long.
func attributes(fill func(*netlink.AttributeEncoder)) ([]byte, error) {
	ae := netlink.NewAttributeEncoder()
	ae.ByteOrder = binary.BigEndian
	fill(ae)
	return ae.Encode()
}

// named returns a message about a table, or about something in it: in messages of all kinds
// attribute 1 is the name of the table, and 2 is the name of the chain or set.
func (t table) named(kind, flags uint16, what string, names ...string) message {
	return newMessage(kind, flags, t.family, what, func(ae *netlink.AttributeEncoder) {
		for i, name := range append([]string{t.name}, names...) {
			ae.String(uint16(i)+1, name)
		}
	})
}

// nested puts what fill writes into one attribute.
func nested(ae *netlink.AttributeEncoder, kind uint16, fill func(*netlink.AttributeEncoder)) {
	ae.Nested(kind, func(ae *netlink.AttributeEncoder) error {
		fill(ae)
		return nil
	})
}

// each hands the attributes inside the current one on.
func each(ad *netlink.AttributeDecoder, take func(*netlink.AttributeDecoder)) {
	ad.Nested(func(ad *netlink.AttributeDecoder) error {
		for ad.Next() {
			take(ad)
		}
		return nil
	})
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

// add makes the table, which must not be there yet, or wakes one that somebody
// put to sleep.
func (t table) add(exists bool) message {
	return newMessage(unix.NFT_MSG_NEWTABLE, create(exists), t.family, "table "+t.name, func(ae *netlink.AttributeEncoder) {
		ae.String(unix.NFTA_TABLE_NAME, t.name)
		ae.Uint32(unix.NFTA_TABLE_FLAGS, 0)
	})
}

// create returns the flags of a message that makes something. With NLM_F_EXCL the kernel
// refuses it when somebody else has made it since we looked.
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

// A chain is a base chain of the type filter that accepts what no rule drops.
type chain struct {
	name     string
	hook     uint32
	priority int32
}

// addChain makes a chain, which must not be there yet.
func (t table) addChain(c chain) message {
	return newMessage(unix.NFT_MSG_NEWCHAIN, create(false), t.family, "chain "+c.name, func(ae *netlink.AttributeEncoder) {
		ae.String(unix.NFTA_CHAIN_TABLE, t.name)
		ae.String(unix.NFTA_CHAIN_NAME, c.name)
		nested(ae, unix.NFTA_CHAIN_HOOK, func(ae *netlink.AttributeEncoder) {
			ae.Uint32(unix.NFTA_HOOK_HOOKNUM, c.hook)
			ae.Int32(unix.NFTA_HOOK_PRIORITY, c.priority)
		})
		ae.Uint32(unix.NFTA_CHAIN_POLICY, verdictAccept)
		ae.String(unix.NFTA_CHAIN_TYPE, "filter")
	})
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
	return newMessage(unix.NFT_MSG_NEWRULE, unix.NLM_F_CREATE|unix.NLM_F_APPEND, t.family, "rule "+r.comment, func(ae *netlink.AttributeEncoder) {
		ae.String(unix.NFTA_RULE_TABLE, t.name)
		ae.String(unix.NFTA_RULE_CHAIN, chain)
		nested(ae, unix.NFTA_RULE_EXPRESSIONS, func(ae *netlink.AttributeEncoder) {
			for _, e := range r.exprs {
				ae.Do(unix.NFTA_LIST_ELEM|unix.NLA_F_NESTED, func() ([]byte, error) { return expr.Marshal(t.family, e) })
			}
		})
		ae.Bytes(unix.NFTA_RULE_USERDATA, userdata.AppendString(nil, userdata.TypeComment, r.comment))
	})
}

// addCounter makes a counter of the table, and leaves one that counts alone.
func (t table) addCounter(name string) message {
	return newMessage(unix.NFT_MSG_NEWOBJ, unix.NLM_F_CREATE, t.family, "counter "+name, func(ae *netlink.AttributeEncoder) {
		ae.String(unix.NFTA_OBJ_TABLE, t.name)
		ae.String(unix.NFTA_OBJ_NAME, name)
		ae.Uint32(unix.NFTA_OBJ_TYPE, objectCounter)
		nested(ae, unix.NFTA_OBJ_DATA, func(ae *netlink.AttributeEncoder) {
			ae.Uint64(unix.NFTA_COUNTER_BYTES, 0)
			ae.Uint64(unix.NFTA_COUNTER_PACKETS, 0)
		})
	})
}
