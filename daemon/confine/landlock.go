package confine

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"

	"github.com/landlock-lsm/go-landlock/landlock"
	kernel "github.com/landlock-lsm/go-landlock/landlock/syscall"
	"golang.org/x/sys/unix"
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

var (
	errNoLandlock = errors.New("this kernel has no Landlock (Linux 5.13 with landlock among the modules of the boot parameter lsm)")
	errForbidden  = errors.New("a unit or a container refuses Landlock (SystemCallFilter= must have landlock_create_ruleset, landlock_add_rule and landlock_restrict_self)")
)

// landlockVersion returns the version of Landlock that limits the process, above 0.
func landlockVersion() (int, error) {
	version, err := kernel.LandlockGetABIVersion()
	switch {
	case errors.Is(err, unix.EPERM):
		return 0, errForbidden
	case err != nil || version < 1:
		return 0, errNoLandlock
	}
	return min(version, newestVersion), nil
}

// restrictFiles limits the process to its files, to TCP connections to name servers, and to signals
// and abstract sockets of its own, as far as the version of Landlock does that which it returns.
func restrictFiles(n Needs) (version int, err error) {
	if version, err = landlockVersion(); err != nil {
		return 0, err
	}
	config := newest
	if n.Abstract {
		config.Scoped &^= kernel.ScopeAbstractUnixSocket
	}
	if err := config.BestEffort().Restrict(rules(n)...); err != nil {
		return 0, err
	}
	return version, nil
}

// ReadOnly limits the process, and programs that it starts, to reading and executing files: it
// changes none, connects nowhere by TCP, and sends no signal outside.
func ReadOnly() error {
	if _, err := landlockVersion(); err != nil {
		return fmt.Errorf("%w: %w", ErrUnsupported, err)
	}
	return newest.BestEffort().Restrict(landlock.RODirs("/"), landlock.PathAccess(writeFiles, "/dev/null").IgnoreIfMissing())
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
