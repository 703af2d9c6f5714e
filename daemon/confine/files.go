package confine

import (
	"os"
	"path/filepath"
	"slices"
)

// Needs are what a confined process may still do with files. A path need not exist: one that is
// missing is left out, and is refused when it appears later.
type Needs struct {
	// Read are directories that are read with all below them, and single files.
	Read []string
	// Write are directories in which files are made, replaced and removed, and read.
	Write []string
	// Logs are files that are appended to, and made anew when another program moves them away.
	Logs []string
	// Socket is the process's own Unix socket, with its lock file beside it, which are made anew
	// when somebody removes them.
	Socket string
	// Helper lets the process connect to a Unix socket of packets in order, as its helper has.
	Helper bool
	// Abstract lets the process send to Unix sockets without a path.
	Abstract bool
}

// system are what the libraries of the process read: name servers, zones of time, who is in a
// group, and what the kernel tells about the machine.
//
// All of /proc is among them, since the kernel makes the entries of a process anew at times, and
// a rule is about one entry. Another process's memory takes ptrace, which the filter refuses.
var system = []string{
	"/proc", "/usr/share", "/usr/local/share", "/dev/null",
	// where links of /etc/resolv.conf lead: the file there is replaced with each change
	"/run/systemd/resolve", "/run/resolvconf",
	"/etc/resolv.conf", "/etc/hosts", "/etc/nsswitch.conf", "/etc/localtime", "/etc/passwd", "/etc/group",
}

// wide are directories in which many programs keep files, secret ones among them. They are never
// given as a whole for the sake of one file.
var wide = []string{
	"/", "/boot", "/dev", "/etc", "/home", "/mnt", "/media", "/opt", "/proc", "/root", "/run", "/srv", "/sys", "/tmp",
	"/usr", "/var", "/var/lib", "/var/log", "/var/run", "/var/tmp",
}

// Around returns what must be readable so that a path stays readable when it is replaced, as
// editors and deployments do it: its directory with all below it, and that of what each symbolic
// link on the way leads to. Where that is a directory that many programs share, it is the path
// alone. Then a file that takes its place is refused.
func Around(path string) []string {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil
	}
	around := []string{containing(path)}
	if target, err := filepath.EvalSymlinks(path); err == nil && target != path {
		around = append(around, containing(target))
	}
	return around
}

// containing returns the directory of a path, or the path when the directory is a wide one.
func containing(path string) string {
	if dir := filepath.Dir(path); !slices.Contains(wide, dir) && filepath.Dir(dir) != "/home" {
		return dir
	}
	return path
}

// directoriesOf returns the directories of files.
func directoriesOf(files []string) (directories []string) {
	for _, path := range files {
		directories = append(directories, filepath.Dir(path))
	}
	return directories
}

// kinds tells directories from other files. What is missing is in neither.
func kinds(paths []string) (directories, files []string) {
	for _, path := range paths {
		info, err := os.Stat(path)
		switch {
		case err != nil:
		case info.IsDir():
			directories = append(directories, path)
		default:
			files = append(files, path)
		}
	}
	return directories, files
}
