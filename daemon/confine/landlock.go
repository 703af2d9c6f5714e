package confine

import (
	"errors"
	"path/filepath"
	"slices"

	"github.com/landlock-lsm/go-landlock/landlock"
	kernel "github.com/landlock-lsm/go-landlock/landlock/syscall"
)

// Rights of linux/landlock.h.
const (
	readFiles    landlock.AccessFSSet = kernel.AccessFSReadFile
	readBelow                         = readFiles | kernel.AccessFSReadDir
	writeFiles   landlock.AccessFSSet = kernel.AccessFSWriteFile | kernel.AccessFSTruncate
	replaceBelow                      = readBelow | writeFiles | kernel.AccessFSMakeReg | kernel.AccessFSRemoveFile
	appendBelow  landlock.AccessFSSet = kernel.AccessFSWriteFile | kernel.AccessFSMakeReg
	renewSocket  landlock.AccessFSSet = kernel.AccessFSMakeSock | kernel.AccessFSRemoveFile
)

// versionOfNetwork is the version of Landlock that knows TCP, of Linux 6.7.
const versionOfNetwork = 4

// newest is what this package is tested with, of Linux 6.15. Later versions refuse more, Unix
// sockets and UDP among it, which the process needs.
var newest = landlock.V7

const newestVersion = 7

var errNoLandlock = errors.New("this kernel has no Landlock (Linux 5.13 with landlock among the modules of the boot parameter lsm)")

// landlockVersion returns the version of Landlock that limits the process; 0: there is none.
func landlockVersion() int {
	version, err := kernel.LandlockGetABIVersion()
	if err != nil {
		return 0
	}
	return min(version, newestVersion)
}

// restrictFiles limits the process to its files, to TCP connections to name servers, and to signals
// and abstract sockets of its own.
func restrictFiles(n Needs, version int) error {
	if version == 0 {
		return errNoLandlock
	}
	config := newest
	if n.Abstract {
		config.Scoped &^= kernel.ScopeAbstractUnixSocket
	}
	return config.BestEffort().Restrict(rules(n)...)
}

// rules returns the rules for the needs of a process, and for those of its libraries.
func rules(n Needs) []landlock.Rule {
	directories, files := kinds(append(slices.Clone(system), n.Read...))
	write := slices.Clone(n.Write)
	at := filepath.Dir(n.Socket)
	if !slices.Contains(wide, at) {
		write = append(write, at)
	}
	written, _ := kinds(write)
	logs, _ := kinds(directoriesOf(n.Logs))
	return []landlock.Rule{
		landlock.PathAccess(readBelow, directories...),
		landlock.PathAccess(readFiles, files...),
		landlock.PathAccess(writeFiles, "/dev/null"),
		landlock.PathAccess(replaceBelow, written...),
		landlock.PathAccess(appendBelow, logs...),
		landlock.PathAccess(renewSocket, at).IgnoreIfMissing(),
		landlock.PathAccess(readFiles|writeFiles, n.Socket+".lock").IgnoreIfMissing(),
		landlock.ConnectTCP(53),
	}
}
