package watch

import "golang.org/x/sys/unix"

// withoutEvents returns why changes in a directory may come without events: they are
// made on another machine, or by the kernel itself. It is empty for other directories.
func withoutEvents(dir string) string {
	var info unix.Statfs_t
	if err := unix.Statfs(dir, &info); err != nil {
		return ""
	}
	name := ""
	switch uint32(info.Type) { // Type is signed on some architectures
	case unix.NFS_SUPER_MAGIC:
		name = "NFS"
	case unix.SMB_SUPER_MAGIC, unix.SMB2_SUPER_MAGIC, unix.CIFS_SUPER_MAGIC:
		name = "SMB"
	case unix.FUSE_SUPER_MAGIC:
		name = "FUSE"
	case unix.V9FS_MAGIC:
		name = "9p"
	case unix.CEPH_SUPER_MAGIC, unix.AFS_SUPER_MAGIC, unix.AFS_FS_MAGIC, unix.CODA_SUPER_MAGIC, unix.OCFS2_SUPER_MAGIC:
		name = "a network file system"
	case unix.PROC_SUPER_MAGIC, unix.SYSFS_MAGIC:
		name = "a file system of the kernel"
	default:
		return ""
	}
	return dir + " is on " + name
}
