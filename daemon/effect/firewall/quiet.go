package firewall

import (
	"encoding/binary"
	"net/netip"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"sesame/daemon/packet"
	"sesame/daemon/reach"
)

// iptables-legacy writes each rule that a traced packet matches into the kernel's log, whoever
// asked for the trace: ip_tables.c looks at the same bit of the packet (nf_trace), and logs with
// the logger that is bound to the family (nf_log_trace). That log is the owner's. So where there
// are such tables and a logger, packets of the family are not traced. Their flows are listed in a
// set instead, and connection tracking alone tells what becomes of them.

// quietWait is how often the sets of flows are read then.
const quietWait = time.Second

// quiet says for each family whether traces would be logged.
type quiet struct{ v4, v6 bool }

// logsTraces reads it.
func logsTraces() quiet {
	return quiet{len(legacyTables(false)) > 0 && logger("2"), len(legacyTables(true)) > 0 && logger("10")}
}

// logger reports whether one is bound to a family, by its number. NONE: there is none.
func logger(family string) bool {
	text, err := os.ReadFile("/proc/sys/net/netfilter/nf_log/" + family)
	return err == nil && strings.TrimSpace(string(text)) != "NONE"
}

// members are the elements of the set quiet.
func (q quiet) members() (all []member) {
	if q.v4 {
		all = append(all, member{key: []byte{unix.NFPROTO_IPV4}})
	}
	if q.v6 {
		all = append(all, member{key: []byte{unix.NFPROTO_IPV6}})
	}
	return all
}

// quietChanges returns messages that put the families whose packets are not traced into their set.
// They go with the rules: without them the first granted packets would be in the owner's log.
func quietChanges(found guardFound) []message {
	wanted, have := ordered(logsTraces().members()), ordered(found.members["quiet"])
	return append(guardTable.change(unix.NFT_MSG_DELSETELEM, "quiet", without(have, wanted)),
		guardTable.change(unix.NFT_MSG_NEWSETELEM, "quiet", without(wanted, have))...)
}

// follow tells the rules which families are traced, and takes the flows that began of those that
// are not, at most once a second. What cannot be read or written now is tried again at the next
// step.
func (m *measurement) follow() {
	now := m.now()
	if now.Sub(m.checked) < quietWait { // many messages may come in a second
		return
	}
	m.checked = now
	wanted := logsTraces()
	have, err := m.guard.socket.stableMembers(guardTable, "quiet")
	if err != nil { // there is no table yet
		return
	}
	have = ordered(have)
	want := ordered(wanted.members())
	batch := append(guardTable.change(unix.NFT_MSG_DELSETELEM, "quiet", without(have, want)),
		guardTable.change(unix.NFT_MSG_NEWSETELEM, "quiet", without(want, have))...)
	if err := m.guard.socket.transact(batch); err != nil {
		return
	}
	if m.quiet = wanted; wanted != (quiet{}) {
		m.takeBegun()
	}
}

// takeBegun follows the flows that were not listed when the sets were read last.
func (m *measurement) takeBegun() {
	listed := map[reach.Flow]bool{}
	for _, s := range begunSets {
		members, _ := m.guard.socket.stableMembers(guardTable, s.name)
		for _, one := range members {
			if f, ok := begunFlow(one.key, s.v6); ok {
				listed[f] = true
				if !m.begun[f] {
					m.follower.Began(f, m.now())
				}
			}
		}
	}
	m.begun = listed
}

// begunFlow reads a key of begun4 or begun6: address and port of the source and of the destination,
// and the protocol, each padded to four bytes.
func begunFlow(key []byte, v6 bool) (reach.Flow, bool) {
	width := 4
	if v6 {
		width = 16
	}
	if len(key) != 2*width+12 {
		return reach.Flow{}, false
	}
	end := func(b []byte) netip.AddrPort {
		return netip.AddrPortFrom(addressOf(b[:width]), binary.BigEndian.Uint16(b[width:]))
	}
	f := reach.Flow{Proto: protocolOf(key[2*width+8]), Source: end(key), Destination: end(key[width+4:])}
	return f, f.Proto != packet.NoProto
}
