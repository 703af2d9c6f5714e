package firewall

import (
	"bytes"
	"encoding/binary"
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
	interval bool                   // of networks, not only of single addresses
	timeout  bool                   // its elements may end by themselves
	dynamic  bool                   // rules add elements
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
	return flags
}

// key returns the number that nft gives the type of the keys, and their length in bytes.
// Each field of several is padded to four bytes, since it has a register of its own. The
// kernel only stores the type, for nft to list the set.
func (s set) key() (magic, length uint32) {
	for _, f := range s.fields {
		magic = magic<<nftables.SetConcatTypeBits | f.GetNFTMagic()
		length += (f.Bytes + 3) &^ 3
	}
	if len(s.fields) == 1 {
		length = s.fields[0].Bytes
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
	return newMessage(unix.NFT_MSG_NEWSET, unix.NLM_F_CREATE, t.family, "set "+s.name, func(ae *netlink.AttributeEncoder) {
		ae.String(unix.NFTA_SET_TABLE, t.name)
		ae.String(unix.NFTA_SET_NAME, s.name)
		ae.Uint32(unix.NFTA_SET_FLAGS, s.flags())
		ae.Uint32(unix.NFTA_SET_KEY_TYPE, magic)
		ae.Uint32(unix.NFTA_SET_KEY_LEN, length)
		ae.Uint32(unix.NFTA_SET_ID, id)
		if s.life > 0 {
			ae.Uint64(unix.NFTA_SET_TIMEOUT, uint64(s.life.Milliseconds()))
		}
		if s.size > 0 || s.flags()&setConcat != 0 {
			nested(ae, unix.NFTA_SET_DESC, s.describe)
		}
		ae.Bytes(unix.NFTA_SET_USERDATA, userdata.AppendUint32(nil, userdata.NFTNL_UDATA_SET_KEYBYTEORDER, order))
	})
}

// describe writes the bound of a set, and the lengths of the fields of its keys: the
// kernel finds ranges of several fields only when it knows where each begins.
func (s set) describe(ae *netlink.AttributeEncoder) {
	if s.size > 0 {
		ae.Uint32(unix.NFTA_SET_DESC_SIZE, s.size)
	}
	if s.flags()&setConcat == 0 {
		return
	}
	nested(ae, setDescConcat, func(ae *netlink.AttributeEncoder) {
		for _, f := range s.fields {
			nested(ae, unix.NFTA_LIST_ELEM, func(ae *netlink.AttributeEncoder) { ae.Uint32(unix.NFTA_SET_DESC_SIZE, f.Bytes) })
		}
	})
}

// A setFound is the definition of a set that the kernel has.
type setFound struct {
	name          string
	flags         uint32
	magic, length uint32
	life          time.Duration
	size          uint32
}

// is reports whether a set that was found is defined as s is.
func (f setFound) is(s set) bool {
	magic, length := s.key()
	return f == setFound{s.name, s.flags(), magic, length, s.life, s.size}
}

// sets returns the definitions of the sets of a table.
func (s *socket) sets(t table) ([]setFound, error) {
	question := t.named(unix.NFT_MSG_GETSET, unix.NLM_F_DUMP, "sets of table "+t.name)
	var found []setFound
	err := s.query(question, func(r netlinkReply) error {
		var one setFound
		err := r.each(func(ad *netlink.AttributeDecoder) {
			switch ad.Type() {
			case unix.NFTA_SET_NAME:
				one.name = ad.String()
			case unix.NFTA_SET_FLAGS:
				one.flags = ad.Uint32()
			case unix.NFTA_SET_KEY_TYPE:
				one.magic = ad.Uint32()
			case unix.NFTA_SET_KEY_LEN:
				one.length = ad.Uint32()
			case unix.NFTA_SET_TIMEOUT:
				one.life = milliseconds(ad.Uint64())
			case unix.NFTA_SET_DESC:
				each(ad, func(ad *netlink.AttributeDecoder) {
					if ad.Type() == unix.NFTA_SET_DESC_SIZE {
						one.size = ad.Uint32()
					}
				})
			}
		})
		found = append(found, one)
		return err
	})
	return found, err
}

// each calls take for each attribute of a reply.
func (r netlinkReply) each(take func(*netlink.AttributeDecoder)) error {
	ad, err := netlink.NewAttributeDecoder(r.body)
	if err != nil {
		return err
	}
	ad.ByteOrder = binary.BigEndian
	for ad.Next() {
		take(ad)
	}
	return ad.Err()
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
		messages = append(messages, newMessage(kind, unix.NLM_F_CREATE, t.family, "element of set "+name, func(ae *netlink.AttributeEncoder) {
			ae.String(unix.NFTA_SET_ELEM_LIST_TABLE, t.name)
			ae.String(unix.NFTA_SET_ELEM_LIST_SET, name)
			nested(ae, unix.NFTA_SET_ELEM_LIST_ELEMENTS, func(ae *netlink.AttributeEncoder) {
				for room := maxAttribute; len(members) > 0 && room > elementRoom; members = members[1:] {
					room -= members[0].encode(ae)
				}
			})
		}))
	}
	return messages
}

// elementRoom is more than any member takes, in bytes.
const elementRoom = 512

// encode writes a member as an element of a list, and returns how many bytes that
// takes.
func (m member) encode(ae *netlink.AttributeEncoder) int {
	body, err := attributes(m.attributes)
	ae.Do(unix.NFTA_LIST_ELEM|unix.NLA_F_NESTED, func() ([]byte, error) { return body, err })
	return unix.SizeofNlAttr + len(body)
}

func (m member) attributes(ae *netlink.AttributeEncoder) {
	value := func(kind uint16, data []byte) {
		ae.Do(kind|unix.NLA_F_NESTED, func() ([]byte, error) {
			return netlink.MarshalAttributes([]netlink.Attribute{{Type: unix.NFTA_DATA_VALUE, Data: data}})
		})
	}
	if m.boundary {
		ae.Uint32(unix.NFTA_SET_ELEM_FLAGS, unix.NFT_SET_ELEM_INTERVAL_END)
	}
	value(unix.NFTA_SET_ELEM_KEY, m.key)
	if m.end != nil {
		value(setElemKeyEnd, m.end)
	}
	if m.timeout > 0 {
		// Rounded up: an element with a time-out of zero would never end.
		ae.Uint64(unix.NFTA_SET_ELEM_TIMEOUT, uint64(max(1, (m.timeout+time.Millisecond-1)/time.Millisecond)))
	}
	if m.comment != "" {
		ae.Bytes(unix.NFTA_SET_ELEM_USERDATA, userdata.AppendString(nil, userdata.NFTNL_UDATA_SET_ELEM_COMMENT, m.comment))
	}
}

// members returns the elements of a set. The error is [effect.ErrGone] when there is no
// such set, and errInterrupted when somebody changed it meanwhile.
func (s *socket) members(t table, name string) ([]member, error) {
	return s.queryMembers(t, name, unix.NLM_F_DUMP, nil)
}

// tries is how often something is read that others may change meanwhile.
const tries = 5

// stableMembers is members, read again when somebody changed the set meanwhile.
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
	question := newMessage(unix.NFT_MSG_GETSETELEM, flags, t.family, "set "+name, func(ae *netlink.AttributeEncoder) {
		ae.String(unix.NFTA_SET_ELEM_LIST_TABLE, t.name)
		ae.String(unix.NFTA_SET_ELEM_LIST_SET, name)
		if key != nil {
			nested(ae, unix.NFTA_SET_ELEM_LIST_ELEMENTS, func(ae *netlink.AttributeEncoder) { key.encode(ae) })
		}
	})
	var found []member
	err := s.query(question, func(r netlinkReply) error {
		return r.each(func(ad *netlink.AttributeDecoder) {
			if ad.Type() == unix.NFTA_SET_ELEM_LIST_ELEMENTS {
				each(ad, func(ad *netlink.AttributeDecoder) {
					var m member
					each(ad, m.decode)
					found = append(found, m)
				})
			}
		})
	})
	if errors.Is(err, unix.ENOENT) {
		return nil, fmt.Errorf("%w: no set %s in table %s", effect.ErrGone, name, t.name)
	}
	return found, err
}

// decode reads an attribute of an element. It copies bytes, since the socket's buffer is
// used again.
func (m *member) decode(ad *netlink.AttributeDecoder) {
	switch ad.Type() {
	case unix.NFTA_SET_ELEM_KEY:
		m.key = dataOf(ad).value
	case setElemKeyEnd:
		m.end = dataOf(ad).value
	case unix.NFTA_SET_ELEM_DATA:
		m.verdict = dataOf(ad).verdict
	case unix.NFTA_SET_ELEM_FLAGS:
		m.boundary = ad.Uint32()&unix.NFT_SET_ELEM_INTERVAL_END != 0
	case unix.NFTA_SET_ELEM_TIMEOUT:
		m.timeout = milliseconds(ad.Uint64())
	case unix.NFTA_SET_ELEM_EXPIRATION:
		m.expires = milliseconds(ad.Uint64())
	case unix.NFTA_SET_ELEM_USERDATA:
		m.comment = commentOf(ad.Bytes())
	case unix.NFTA_SET_ELEM_EXPR:
		m.counter(ad)
	case setElemExprs:
		each(ad, m.counter)
	}
}

// counter reads an expression that the element carries, if it is a counter.
func (m *member) counter(ad *netlink.AttributeDecoder) {
	name := ""
	each(ad, func(ad *netlink.AttributeDecoder) {
		switch ad.Type() {
		case unix.NFTA_EXPR_NAME: // comes first
			name = ad.String()
		case unix.NFTA_EXPR_DATA:
			if name == "counter" {
				each(ad, func(ad *netlink.AttributeDecoder) {
					if ad.Type() == unix.NFTA_COUNTER_PACKETS {
						m.packets = ad.Uint64()
					}
				})
			}
		}
	})
}

// A datum is a key, a value or a verdict.
type datum struct {
	value   []byte
	verdict *expr.Verdict
}

// dataOf reads the attribute that nftables wraps a key, a value or a verdict in.
func dataOf(ad *netlink.AttributeDecoder) (d datum) {
	each(ad, func(ad *netlink.AttributeDecoder) {
		switch ad.Type() {
		case unix.NFTA_DATA_VALUE:
			d.value = ad.Bytes()
		case unix.NFTA_DATA_VERDICT:
			d.verdict = &expr.Verdict{}
			each(ad, func(ad *netlink.AttributeDecoder) {
				switch ad.Type() {
				case unix.NFTA_VERDICT_CODE:
					d.verdict.Kind = expr.VerdictKind(ad.Int32())
				case unix.NFTA_VERDICT_CHAIN:
					d.verdict.Chain = ad.String()
				}
			})
		}
	})
	return d
}

// commentOf returns the comment among the notes (NFTA_SET_ELEM_USERDATA) on an element:
// each is a type, a length and that many bytes. The library's reader trusts the lengths,
// and a set may hold elements that somebody else wrote.
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
