package writable

import (
	"encoding/binary"

	"golang.org/x/sys/unix"
)

// An acl has who can write by a POSIX ACL, beside the owner and everybody.
type acl struct {
	users, groups []uint32
	owning        bool // the group of the file
}

// readACL reads the ACL of a file or directory. False: it has none, or its file system knows none.
func readACL(path string) (acl, bool) {
	text := make([]byte, 64<<10) // XATTR_SIZE_MAX, include/uapi/linux/limits.h
	n, err := unix.Lgetxattr(path, "system.posix_acl_access", text)
	if err != nil {
		return acl{}, false
	}
	return parseACL(text[:n])
}

// The attribute has a version and entries of 8 bytes, all little-endian: tag, permissions, ID
// (include/uapi/linux/posix_acl_xattr.h, posix_acl.h).
const (
	aclVersion = 2
	aclUser    = 0x02
	aclOwning  = 0x04
	aclGroup   = 0x08
	aclMask    = 0x10
	aclWrite   = 0x02
)

// parseACL reads the attribute. It is false for what is no ACL.
func parseACL(text []byte) (a acl, ok bool) {
	if len(text) < 4 || binary.LittleEndian.Uint32(text) != aclVersion || (len(text)-4)%8 != 0 {
		return acl{}, false
	}
	mask := uint16(aclWrite)
	for entry := text[4:]; len(entry) > 0; entry = entry[8:] {
		tag, bits, id := binary.LittleEndian.Uint16(entry), binary.LittleEndian.Uint16(entry[2:]), binary.LittleEndian.Uint32(entry[4:])
		switch writes := bits&aclWrite != 0; {
		case tag == aclMask:
			mask = bits
		case !writes:
		case tag == aclUser:
			a.users = append(a.users, id)
		case tag == aclGroup:
			a.groups = append(a.groups, id)
		case tag == aclOwning:
			a.owning = true
		}
	}
	if mask&aclWrite == 0 {
		return acl{}, true
	}
	return a, true
}
