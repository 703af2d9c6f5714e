package firewall

import (
	"bytes"
	"errors"
	"fmt"
	"time"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"github.com/google/nftables/userdata"
	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"

	"sesame/daemon/effect"
)

// A set is the definition of a set of nftables.
type set struct {
	name     string
	fields   []nftables.SetDatatype // of its keys
	values   []nftables.SetDatatype // of a map; nil: a set
	interval bool                   // of networks, not only of single addresses
	timeout  bool                   // its elements may end by themselves
	dynamic  bool                   // rules add elements
	lasting  bool                   // an install leaves its elements as they are
	life     time.Duration          // of an element without a time-out of its own
	size     uint32                 // elements at most; 0: no bound
}

// flags returns NFT_SET_... bits. Intervals of keys with several fields need the flag CONCAT:
// the kernel finds them with nft_set_pipapo.c, since Linux 5.6. Intervals of one field are
// in nft_set_rbtree.c, and single keys in a hash table.
func (s set) flags() uint32 {
	var flags uint32
	if s.interval {
		flags |= unix.NFT_SET_INTERVAL
	}
	if s.interval && len(s.fields) > 1 {
		flags |= setConcat
	}
	if s.timeout {
		flags |= unix.NFT_SET_TIMEOUT
	}
	if s.dynamic {
		flags |= unix.NFT_SET_EVAL
	}
	if s.values != nil {
		flags |= unix.NFT_SET_MAP
	}
	return flags
}

// key returns the number that nft gives the type of the keys, and their length in bytes.
// Each field of several is padded to four bytes, since it has a register of its own. The
// kernel only stores the type, for nft to list the set.
func (s set) key() (magic, length uint32) { return typeOf(s.fields) }

// value is [set.key] for the values of a map.
func (s set) value() (magic, length uint32) { return typeOf(s.values) }

func typeOf(fields []nftables.SetDatatype) (magic, length uint32) {
	for _, f := range fields {
		magic = magic<<nftables.SetConcatTypeBits | f.GetNFTMagic()
		length += (f.Bytes + 3) &^ 3
	}
	if len(fields) == 1 {
		length = fields[0].Bytes
	}
	return magic, length
}

// addSet makes a set. Messages of the same transaction may name it by its ID.
func (t table) addSet(s set, id uint32) message {
	magic, length := s.key()
	// nft prints keys by this note. Names of interfaces are in host byte order.
	order := uint32(bigEndianKeys)
	if s.fields[0].Name == nftables.TypeIFName.Name {
		order = hostEndianKeys
	}
	all := []netlink.Attribute{
		text(unix.NFTA_SET_TABLE, t.name),
		text(unix.NFTA_SET_NAME, s.name),
		uint32Of(unix.NFTA_SET_FLAGS, s.flags()),
		uint32Of(unix.NFTA_SET_KEY_TYPE, magic),
		uint32Of(unix.NFTA_SET_KEY_LEN, length),
		uint32Of(unix.NFTA_SET_ID, id),
		{Type: unix.NFTA_SET_USERDATA, Data: userdata.AppendUint32(nil, userdata.NFTNL_UDATA_SET_KEYBYTEORDER, order)},
	}
	if s.values != nil {
		magic, length := s.value()
		all = append(all, uint32Of(unix.NFTA_SET_DATA_TYPE, magic), uint32Of(unix.NFTA_SET_DATA_LEN, length))
	}
	if s.life > 0 {
		all = append(all, uint64Of(unix.NFTA_SET_TIMEOUT, uint64(s.life.Milliseconds())))
	}
	if about := s.description(); len(about) > 0 {
		all = append(all, nested(unix.NFTA_SET_DESC, about...))
	}
	return newMessage(unix.NFT_MSG_NEWSET, unix.NLM_F_CREATE, t.family, "set "+s.name, all...)
}

// description returns the bound of a set, and the lengths of the fields of its keys: the
// kernel finds ranges of several fields only when it knows where each begins.
func (s set) description() (about []netlink.Attribute) {
	if s.size > 0 {
		about = append(about, uint32Of(unix.NFTA_SET_DESC_SIZE, s.size))
	}
	if s.flags()&setConcat != 0 {
		var fields []netlink.Attribute
		for _, f := range s.fields {
			fields = append(fields, nested(unix.NFTA_LIST_ELEM, uint32Of(unix.NFTA_SET_DESC_SIZE, f.Bytes)))
		}
		about = append(about, nested(setDescConcat, fields...))
	}
	return about
}

// A setFound is the definition of a set that the kernel has.
type setFound struct {
	name          string
	flags         uint32
	magic, length uint32
	value, width  uint32 // of a map: the type of its values, and their length
	life          time.Duration
	size          uint32
}

// is reports whether a set that was found is defined as s is.
func (f setFound) is(s set) bool {
	magic, length := s.key()
	value, width := s.value()
	return f == setFound{s.name, s.flags(), magic, length, value, width, s.life, s.size}
}

// sets returns the definitions of the sets of a table.
func (s *socket) sets(t table) ([]setFound, error) {
	question := t.named(unix.NFT_MSG_GETSET, unix.NLM_F_DUMP, "sets of table "+t.name)
	var found []setFound
	err := s.query(question, func(r reply) {
		found = append(found, setFound{
			name:   r.text(unix.NFTA_SET_NAME),
			flags:  uint32(r.number(unix.NFTA_SET_FLAGS)),
			magic:  uint32(r.number(unix.NFTA_SET_KEY_TYPE)),
			length: uint32(r.number(unix.NFTA_SET_KEY_LEN)),
			value:  uint32(r.number(unix.NFTA_SET_DATA_TYPE)),
			width:  uint32(r.number(unix.NFTA_SET_DATA_LEN)),
			life:   milliseconds(r.number(unix.NFTA_SET_TIMEOUT)),
			size:   uint32(r.number(unix.NFTA_SET_DESC, unix.NFTA_SET_DESC_SIZE)),
		})
	})
	return found, err
}

// milliseconds returns a time span of the kernel's. One that a Duration cannot hold is cut.
func milliseconds(n uint64) time.Duration {
	return time.Duration(min(n, uint64(forever/time.Millisecond))) * time.Millisecond
}

// forever is the longest Duration.
const forever = time.Duration(1<<63 - 1)

// A member is one element of a set, as the kernel holds it.
type member struct {
	key      []byte
	value    []byte // of a map
	end      []byte // of a network in a set of several fields: the key of its last address
	boundary bool   // in a set of networks alone: the first address behind a network
	timeout  time.Duration
	expires  time.Duration // time left; zero: it has no end
	comment  string
	packets  uint64
	verdict  *expr.Verdict // of a member of a map of verdicts
}

// change returns messages that add or delete members: kind is NFT_MSG_NEWSETELEM or
// NFT_MSG_DELSETELEM. The members of a message are in one attribute, whose length has 16
// bits, so many members take several messages.
func (t table) change(kind uint16, name string, members []member) []message {
	var messages []message
	for len(members) > 0 {
		var list []netlink.Attribute
		for room := maxAttribute; len(members) > 0 && room > elementRoom; members = members[1:] {
			one := members[0].encode()
			list = append(list, one)
			room -= unix.SizeofNlAttr + len(one.Data)
		}
		messages = append(messages, newMessage(kind, unix.NLM_F_CREATE, t.family, "element of set "+name,
			text(unix.NFTA_SET_ELEM_LIST_TABLE, t.name),
			text(unix.NFTA_SET_ELEM_LIST_SET, name),
			nested(unix.NFTA_SET_ELEM_LIST_ELEMENTS, list...)))
	}
	return messages
}

// elementRoom is more than any member takes, in bytes.
const elementRoom = 512

// encode returns a member as an element of a list.
func (m member) encode() netlink.Attribute {
	all := make([]netlink.Attribute, 0, 4)
	if m.boundary {
		all = append(all, uint32Of(unix.NFTA_SET_ELEM_FLAGS, unix.NFT_SET_ELEM_INTERVAL_END))
	}
	all = append(all, nested(unix.NFTA_SET_ELEM_KEY, netlink.Attribute{Type: unix.NFTA_DATA_VALUE, Data: m.key}))
	if m.value != nil {
		all = append(all, nested(unix.NFTA_SET_ELEM_DATA, netlink.Attribute{Type: unix.NFTA_DATA_VALUE, Data: m.value}))
	}
	if m.end != nil {
		all = append(all, nested(setElemKeyEnd, netlink.Attribute{Type: unix.NFTA_DATA_VALUE, Data: m.end}))
	}
	if m.timeout > 0 {
		// Rounded up: an element with a time-out of zero would never end.
		all = append(all, uint64Of(unix.NFTA_SET_ELEM_TIMEOUT, uint64(max(1, (m.timeout+time.Millisecond-1)/time.Millisecond))))
	}
	if m.comment != "" {
		notes := userdata.AppendString(nil, userdata.NFTNL_UDATA_SET_ELEM_COMMENT, m.comment)
		all = append(all, netlink.Attribute{Type: unix.NFTA_SET_ELEM_USERDATA, Data: notes})
	}
	return nested(unix.NFTA_LIST_ELEM, all...)
}

// members returns the elements of a set. The error is [effect.ErrGone] when there is no
// such set, and errInterrupted when another program changed it in the meantime.
func (s *socket) members(t table, name string) ([]member, error) {
	return s.queryMembers(t, name, unix.NLM_F_DUMP, nil)
}

// tries is how often something is read that others may change in the meantime.
const tries = 5

// stableMembers is members, read again when another program changed the set in the meantime.
func (s *socket) stableMembers(t table, name string) (found []member, err error) {
	for range tries {
		if found, err = s.members(t, name); !errors.Is(err, errInterrupted) {
			break
		}
	}
	return found, err
}

// member returns the element with this key, or nil.
func (s *socket) member(t table, name string, key member) (*member, error) {
	found, err := s.queryMembers(t, name, 0, &key)
	if len(found) == 0 || errors.Is(err, effect.ErrGone) { // a missing set and a missing element have one error
		return nil, nil
	}
	return &found[0], err
}

// queryMembers reads one element, or for all when key is nil.
func (s *socket) queryMembers(t table, name string, flags uint16, key *member) ([]member, error) {
	about := []netlink.Attribute{text(unix.NFTA_SET_ELEM_LIST_TABLE, t.name), text(unix.NFTA_SET_ELEM_LIST_SET, name)}
	if key != nil {
		about = append(about, nested(unix.NFTA_SET_ELEM_LIST_ELEMENTS, key.encode()))
	}
	var found []member
	err := s.query(newMessage(unix.NFT_MSG_GETSETELEM, flags, t.family, "set "+name, about...), func(r reply) {
		for element := range r.list(unix.NFTA_SET_ELEM_LIST_ELEMENTS) {
			found = append(found, memberOf(element))
		}
	})
	if errors.Is(err, unix.ENOENT) {
		return nil, fmt.Errorf("%w: no set %s in table %s", effect.ErrGone, name, t.name)
	}
	return found, err
}

// memberOf reads an element.
func memberOf(a attributes) member {
	m := member{
		key:      a.bytes(unix.NFTA_SET_ELEM_KEY, unix.NFTA_DATA_VALUE),
		value:    a.bytes(unix.NFTA_SET_ELEM_DATA, unix.NFTA_DATA_VALUE),
		end:      a.bytes(setElemKeyEnd, unix.NFTA_DATA_VALUE),
		boundary: a.number(unix.NFTA_SET_ELEM_FLAGS)&unix.NFT_SET_ELEM_INTERVAL_END != 0,
		timeout:  milliseconds(a.number(unix.NFTA_SET_ELEM_TIMEOUT)),
		expires:  milliseconds(a.number(unix.NFTA_SET_ELEM_EXPIRATION)),
		comment:  commentOf(a.bytes(unix.NFTA_SET_ELEM_USERDATA)),
		packets:  packetsOf(parse(a.bytes(unix.NFTA_SET_ELEM_EXPR))),
		verdict:  verdictOf(a.bytes(unix.NFTA_SET_ELEM_DATA, unix.NFTA_DATA_VERDICT)),
	}
	for expression := range a.list(setElemExprs) {
		m.packets = max(m.packets, packetsOf(expression))
	}
	return m
}

// packetsOf reads an expression that an element carries, if it is a counter.
func packetsOf(expression attributes) uint64 {
	if expression.text(unix.NFTA_EXPR_NAME) != "counter" {
		return 0
	}
	return expression.number(unix.NFTA_EXPR_DATA, unix.NFTA_COUNTER_PACKETS)
}

// verdictOf reads the attribute that nftables wraps a verdict in. nil: there is none.
func verdictOf(b []byte) *expr.Verdict {
	if b == nil {
		return nil
	}
	a := parse(b)
	code := int32(uint32(a.number(unix.NFTA_VERDICT_CODE)))
	return &expr.Verdict{Kind: expr.VerdictKind(code), Chain: a.text(unix.NFTA_VERDICT_CHAIN)}
}

// commentOf returns the comment among the notes (NFTA_SET_ELEM_USERDATA) on an element:
// each is a type, a length and that many bytes. The library's reader trusts the lengths,
// and a set may hold elements that another program wrote.
func commentOf(notes []byte) string {
	for len(notes) >= 2 {
		kind, length := userdata.Type(notes[0]), int(notes[1])
		if notes = notes[2:]; length > len(notes) {
			return ""
		}
		if kind == userdata.NFTNL_UDATA_SET_ELEM_COMMENT {
			text, _, _ := bytes.Cut(notes[:length], []byte{0})
			return string(text)
		}
		notes = notes[length:]
	}
	return ""
}

// flushSet removes all members of a set.
func (t table) flushSet(name string) message {
	return t.named(unix.NFT_MSG_DELSETELEM, 0, "elements of set "+name, name)
}
