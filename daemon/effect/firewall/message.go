package firewall

import (
	"encoding/binary"

	"github.com/google/nftables/expr"
	"github.com/google/nftables/userdata"
	"golang.org/x/sys/unix"
)

// A message is one command or question to nftables. The library's own messages
// ask for every rule to be echoed and for every command to be acknowledged, and
// tell neither which command failed nor how many answers to wait for, so they are
// written here.
type message struct {
	kind   uint16 // NFT_MSG_...
	flags  uint16 // beside NLM_F_REQUEST
	family uint8
	body   attributes
	what   string // it is about, for people
}

// Attributes are netlink attributes, one behind the other.
type attributes []byte

const (
	headerLen    = 4
	maxAttribute = 1<<16 - 1 // its length is written in 16 bits
)

func (a *attributes) bytes(kind uint16, data []byte) {
	*a = binary.NativeEndian.AppendUint16(*a, uint16(headerLen+len(data)))
	*a = binary.NativeEndian.AppendUint16(*a, kind)
	*a = append(*a, data...)
	a.pad()
}

func (a *attributes) pad() {
	for len(*a)%4 != 0 {
		*a = append(*a, 0)
	}
}

func (a *attributes) text(kind uint16, s string) { a.bytes(kind, append([]byte(s), 0)) }

func (a *attributes) uint32(kind uint16, v uint32) {
	a.bytes(kind, binary.BigEndian.AppendUint32(nil, v))
}

func (a *attributes) uint64(kind uint16, v uint64) {
	a.bytes(kind, binary.BigEndian.AppendUint64(nil, v))
}

// nested puts what fill appends into one attribute.
func (a *attributes) nested(kind uint16, fill func()) {
	start := len(*a)
	*a = append(*a, 0, 0, 0, 0)
	fill()
	binary.NativeEndian.PutUint16((*a)[start:], uint16(len(*a)-start))
	binary.NativeEndian.PutUint16((*a)[start+2:], kind|unix.NLA_F_NESTED)
}

// value puts data into one attribute, as nftables wraps it.
func (a *attributes) value(kind uint16, data []byte) {
	a.nested(kind, func() { a.bytes(unix.NFTA_DATA_VALUE, data) })
}

// Attribute kinds that the library and the unix package lack, or hide.
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
	var a attributes
	a.text(unix.NFTA_TABLE_NAME, t.name)
	a.uint32(unix.NFTA_TABLE_FLAGS, 0)
	return message{unix.NFT_MSG_NEWTABLE, create(exists), t.family, a, "table " + t.name}
}

func create(exists bool) uint16 {
	if exists {
		return unix.NLM_F_CREATE
	}
	return unix.NLM_F_CREATE | unix.NLM_F_EXCL
}

func (t table) remove() message {
	var a attributes
	a.text(unix.NFTA_TABLE_NAME, t.name)
	return message{unix.NFT_MSG_DELTABLE, 0, t.family, a, "table " + t.name}
}

// A chain is a base chain of the type filter that accepts what no rule drops.
type chain struct {
	name     string
	hook     uint32
	priority int32
}

// addChain makes a chain, which must not be there yet.
func (t table) addChain(c chain) message {
	var a attributes
	a.text(unix.NFTA_CHAIN_TABLE, t.name)
	a.text(unix.NFTA_CHAIN_NAME, c.name)
	a.nested(unix.NFTA_CHAIN_HOOK, func() {
		a.uint32(unix.NFTA_HOOK_HOOKNUM, c.hook)
		a.uint32(unix.NFTA_HOOK_PRIORITY, uint32(c.priority))
	})
	a.uint32(unix.NFTA_CHAIN_POLICY, verdictAccept)
	a.text(unix.NFTA_CHAIN_TYPE, "filter")
	return message{unix.NFT_MSG_NEWCHAIN, create(false), t.family, a, "chain " + c.name}
}

func (t table) flushChain(name string) message {
	var a attributes
	a.text(unix.NFTA_RULE_TABLE, t.name)
	a.text(unix.NFTA_RULE_CHAIN, name)
	return message{unix.NFT_MSG_DELRULE, 0, t.family, a, "rules of chain " + name}
}

// A rule is its expressions, with a comment for those who list the table.
type rule struct {
	comment string
	exprs   []expr.Any
}

func (t table) addRule(chain string, r rule) (message, error) {
	var a attributes
	a.text(unix.NFTA_RULE_TABLE, t.name)
	a.text(unix.NFTA_RULE_CHAIN, chain)
	var err error
	a.nested(unix.NFTA_RULE_EXPRESSIONS, func() {
		for _, e := range r.exprs {
			data, failed := expr.Marshal(t.family, e)
			if failed != nil {
				err = failed
			}
			a.bytes(unix.NFTA_LIST_ELEM|unix.NLA_F_NESTED, data)
		}
	})
	a.bytes(unix.NFTA_RULE_USERDATA, userdata.AppendString(nil, userdata.TypeComment, r.comment))
	return message{unix.NFT_MSG_NEWRULE, unix.NLM_F_CREATE | unix.NLM_F_APPEND, t.family, a, "rule " + r.comment}, err
}

// addCounter makes a counter of the table, and leaves one that counts alone.
func (t table) addCounter(name string) message {
	var a attributes
	a.text(unix.NFTA_OBJ_TABLE, t.name)
	a.text(unix.NFTA_OBJ_NAME, name)
	a.uint32(unix.NFTA_OBJ_TYPE, objectCounter)
	a.nested(unix.NFTA_OBJ_DATA, func() {
		a.uint64(unix.NFTA_COUNTER_BYTES, 0)
		a.uint64(unix.NFTA_COUNTER_PACKETS, 0)
	})
	return message{unix.NFT_MSG_NEWOBJ, unix.NLM_F_CREATE, t.family, a, "counter " + name}
}
