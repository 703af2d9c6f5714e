package daemon

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// An instance is the instance lock: it makes a daemon the only one that guards its network
// namespace. Two daemons would undo each other's tables again and again, and ports would be open
// in between. The kernel frees the lock when the process ends, however it ends.
//
// The lock is a queue of nfnetlink_queue, to which no rule sends packets. The kernel keeps queues
// per network namespace, gives each to one socket, and takes CAP_NET_ADMIN for it: no other user
// can take it first. A table of nftables with an owner would do the same, but it would be in what
// nft list ruleset prints, and nobody could load a ruleset that was saved so. On a kernel without
// such queues the lock is a file: see lockFile.
type instance struct {
	queue   *netlink.Conn // nil: the lock is file
	file    *os.File
	earlier *net.UnixListener // for earlier versions: see holdEarlierName; may be nil
}

// instanceQueue is the number of the queue. Programs that use queues begin at 0.
const instanceQueue = 0x5e5a

// instanceDir has the lock files on kernels without queues. Only root writes there.
const instanceDir = "/run/sesame"

var (
	// errHeld means that another process has the lock.
	errHeld = errors.New("another process has it")

	errForeignNetwork = errors.New("this process has CAP_NET_ADMIN, but not in the user namespace that owns its network: start it as root outside of user namespaces, or in a network of its own (a container without root cannot guard the network of the host)")
)

// lockInstance takes the instance lock of the network namespace of this thread.
func lockInstance(log hclog.Logger) (*instance, error) {
	if pid := earlierInstance(log); pid != 0 {
		return nil, anotherInstance(pid)
	}
	queue, err := bindQueue(instanceQueue)
	// When a daemon is killed between fork and exec of a command, the child has the queue until
	// it executes the command. So wait a second while the process that took it does not exist.
	for tries := 0; tries < 100 && errors.Is(err, errHeld) && queueOwner(instanceQueue) == 0; tries++ {
		<-after(10 * time.Millisecond)
		queue, err = bindQueue(instanceQueue)
	}
	switch {
	case err == nil:
		return &instance{queue: queue, earlier: holdEarlierName(log)}, nil
	case errors.Is(err, errHeld):
		return nil, anotherInstance(queueOwner(instanceQueue))
	case errors.Is(err, errForeignNetwork):
		return nil, err
	}
	log.Debug("this kernel has no queue for the instance lock, so it is a file", "error", err)
	file, pid, err := lockFile(instanceDir, networkName())
	switch {
	case errors.Is(err, errHeld):
		return nil, anotherInstance(pid)
	case err != nil:
		return nil, fmt.Errorf("locking this network: %w", err)
	}
	return &instance{file: file, earlier: holdEarlierName(log)}, nil
}

// anotherInstance returns the error for a second daemon. The process may be unknown: 0.
func anotherInstance(pid int) error {
	return fmt.Errorf("another sesame%s guards this network: stop that one first; scripts can be tried beside it: sesame record FILE and sesame simulate -s SCRIPTS FILE",
		processText(pid))
}

func processText(pid int) string {
	if pid == 0 {
		return ""
	}
	return fmt.Sprintf(", process %d,", pid)
}

// close frees the lock.
func (i *instance) close() error {
	if i.earlier != nil {
		_ = i.earlier.Close() // it was only listened to
	}
	if i.queue != nil {
		return i.queue.Close()
	}
	return i.file.Close()
}

// Of linux/netfilter/nfnetlink_queue.h.
const (
	queueBind   = 1 // NFQNL_CFG_CMD_BIND
	queuePFBind = 3 // NFQNL_CFG_CMD_PF_BIND: Linux 3.8 and later do nothing, and allow it to all who have CAP_NET_ADMIN
)

// bindQueue takes a queue. The error is errHeld when another socket has it, errForeignNetwork
// when this process may not take any, and any other means that the kernel has no queues.
func bindQueue(number uint16) (*netlink.Conn, error) {
	conn, err := netlink.Dial(unix.NETLINK_NETFILTER, nil)
	if err != nil {
		return nil, fmt.Errorf("opening a socket to netfilter: %w", err)
	}
	err = queueCommand(conn, queueBind, number)
	switch {
	case err == nil:
		return conn, nil
	case errors.Is(err, unix.EBUSY):
		err = errHeld
	case errors.Is(err, unix.EPERM): // of a queue of another, or without CAP_NET_ADMIN in the network's user namespace
		if err = queueCommand(conn, queuePFBind, 0); err == nil {
			err = errHeld
		} else if errors.Is(err, unix.EPERM) {
			err = errForeignNetwork
		}
	}
	return nil, errors.Join(err, conn.Close())
}

// queueCommand sends a command about a queue (NFQNL_MSG_CONFIG), and waits for the answer.
func queueCommand(conn *netlink.Conn, command byte, number uint16) error {
	const configure, attribute = 2, 1 // NFQNL_MSG_CONFIG, NFQA_CFG_CMD
	attributes, err := netlink.MarshalAttributes([]netlink.Attribute{{Type: attribute, Data: []byte{command, 0, 0, 0}}})
	if err != nil {
		return err
	}
	_, err = conn.Execute(netlink.Message{
		Header: netlink.Header{Type: unix.NFNL_SUBSYS_QUEUE<<8 | configure, Flags: netlink.Request | netlink.Acknowledge},
		Data:   append([]byte{unix.AF_UNSPEC, unix.NFNETLINK_V0, byte(number >> 8), byte(number)}, attributes...),
	})
	return err
}

// queueOwner returns the process that has a queue, and 0 when there is none or it is not known.
func queueOwner(number uint16) int {
	pid, _ := queueHeld(number)
	return pid
}

// queueHeld reports whether a process has a queue, and which one. The kernel tells the address of
// its socket, which is the ID of the process unless that address was taken. Root alone may read
// it; others get false.
func queueHeld(number uint16) (pid int, held bool) {
	text, err := os.ReadFile("/proc/thread-self/net/netfilter/nfnetlink_queue")
	if err != nil {
		return 0, false
	}
	for line := range strings.Lines(string(text)) {
		fields := strings.Fields(line)
		if len(fields) < 2 || fields[0] != strconv.Itoa(int(number)) {
			continue
		}
		pid, err := strconv.ParseInt(fields[1], 10, 32)
		if err != nil || !alive(int(pid)) {
			pid = 0
		}
		return int(pid), true
	}
	return 0, false
}

// alive reports whether a process exists, as far as this one sees.
func alive(pid int) bool { return pid > 0 && !errors.Is(unix.Kill(pid, 0), unix.ESRCH) }

// RunningInstance reports whether a daemon guards this network namespace, and its process; 0: it is
// not known. Without root the answer may be false even when one runs.
func RunningInstance() (pid int, running bool) {
	if pid, held := queueHeld(instanceQueue); held {
		return pid, true
	}
	if pid, held := fileHeld(instanceDir, networkName()); held {
		return pid, true
	}
	pid = earlierInstance(hclog.NewNullLogger())
	return pid, pid != 0
}
