package writable

import (
	"math"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// people tells who counts as another user.
type people struct {
	self           []uint32        // beside root
	passwd, groups string          // the texts of /etc/passwd and /etc/group
	known          map[uint32]bool // answers of others
	foreign        int64           // the owner that stands for all that have no number here; -1: none
}

// newPeople reads the users and groups of this machine.
func newPeople() *people {
	p := &people{self: invokers(uint32(os.Geteuid()), os.Getenv("SUDO_UID")), known: map[uint32]bool{}}
	p.passwd, p.groups = textOf("/etc/passwd"), textOf("/etc/group")
	p.foreign = foreignOwner(textOf("/proc/self/uid_map"), textOf("/proc/sys/kernel/overflowuid"))
	return p
}

// invokers returns who decides what this process does, beside root: the person who started it. Who
// started it with sudo decides what root runs anyhow, and only the environment of root, or of a
// service that root starts, can say so.
//
// The user of a service is nobody who decides: whoever takes the service over could write what it
// loads at its next start.
func invokers(user uint32, sudo string) (all []uint32) {
	if !isService(user) {
		all = append(all, user)
	}
	if id, err := strconv.ParseUint(sudo, 10, 32); err == nil && (user == 0 || isService(user)) {
		all = append(all, uint32(id))
	}
	return all
}

// isService reports whether a user is that of a service and no person, by its number: see
// systemd.io/UIDS-GIDS. Systems have users for services from 1 to 999, systemd makes some for one
// run of a service, and the last is nobody.
func isService(user uint32) bool {
	return user >= 1 && user <= 999 || user >= 61184 && user <= 65519 || user == 65534
}

// kept has the texts of files that could be read, by path. A process that confines itself cannot
// read them again, and decides by what it knew then.
var kept sync.Map

// textOf returns the text of a file, or what it was when it could be read last. It is "" for a file
// that never could: then a group has members that nobody knows.
func textOf(path string) string {
	text, err := os.ReadFile(path)
	if err == nil {
		kept.Store(path, string(text))
		return string(text)
	}
	before, _ := kept.Load(path)
	was, _ := before.(string)
	return was
}

// foreignOwner returns the owner that the kernel shows for users outside of this user namespace
// (user_namespaces(7)); -1 in the first namespace, where each user has a number.
func foreignOwner(uidMap, overflow string) int64 {
	fields := strings.Fields(uidMap)
	if len(fields) == 0 || len(fields) == 3 && fields[2] == strconv.FormatUint(math.MaxUint32, 10) {
		return -1
	}
	id, err := strconv.ParseUint(strings.TrimSpace(overflow), 10, 32)
	if err != nil {
		return -1
	}
	return int64(id)
}

func (p *people) trusted(user uint32) bool { return user == 0 || slices.Contains(p.self, user) }

func (p *people) unknown(user uint32) bool { return int64(user) == p.foreign }

// others reports whether a group has members other than root and who runs this. Many systems give
// each user a group, and give /usr/local to a group without members. A group that is not in
// /etc/group may have any members; that of root has those that are listed.
func (p *people) others(group uint32) bool {
	answer, known := p.known[group]
	if !known {
		answer = p.hasOthers(strconv.FormatUint(uint64(group), 10))
		p.known[group] = answer
	}
	return answer
}

func (p *people) hasOthers(group string) bool {
	found := group == "0"
	for line := range strings.Lines(p.groups) { // name:password:number:member,member (group(5))
		fields := strings.Split(strings.TrimSpace(line), ":")
		if len(fields) != 4 || fields[2] != group {
			continue
		}
		found = true
		for _, name := range strings.Split(fields[3], ",") {
			if name != "" && !p.trustedName(name) {
				return true
			}
		}
	}
	return !found || p.primaryOfOthers(group)
}

// primaryOfOthers reports whether another user has the group from the start of a session, or
// whether that is not known; the group of root has none then.
func (p *people) primaryOfOthers(group string) bool {
	if p.passwd == "" && group != "0" {
		return true
	}
	for line := range strings.Lines(p.passwd) { // name:password:user:group:... (passwd(5))
		fields := strings.Split(line, ":")
		if len(fields) >= 4 && fields[3] == group && !p.trustedNumber(fields[2]) {
			return true
		}
	}
	return false
}

// trustedName reports whether a name is that of a user who is trusted.
func (p *people) trustedName(name string) bool {
	for line := range strings.Lines(p.passwd) {
		if fields := strings.Split(line, ":"); len(fields) >= 3 && fields[0] == name {
			return p.trustedNumber(fields[2])
		}
	}
	return false
}

func (p *people) trustedNumber(text string) bool {
	user, err := strconv.ParseUint(text, 10, 32)
	return err == nil && p.trusted(uint32(user))
}
