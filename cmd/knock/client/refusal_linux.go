package client

import (
	"encoding/binary"
	"syscall"
)

// A refusalReader reads why a connection failed from the error queue of its socket (ip(7),
// IP_RECVERR). There the kernel puts the ICMP errors of a connection that is not established
// (tcp_v4_err and tcp_v6_err, since Linux 5.8); a reset leaves nothing there. The Dialer closes the
// socket before anybody could read it, so the reader has a second descriptor of it.
type refusalReader struct{ fd int }

// control prepares a socket before it connects. It is for [net.Dialer.Control]. When it fails the
// connection goes on, and nobody knows who refuses.
func (r *refusalReader) control(_, _ string, raw syscall.RawConn) error {
	return raw.Control(func(fd uintptr) {
		// The option of the other family fails, which does not matter.
		_ = syscall.SetsockoptInt(int(fd), syscall.SOL_IP, syscall.IP_RECVERR, 1)
		_ = syscall.SetsockoptInt(int(fd), syscall.SOL_IPV6, syscall.IPV6_RECVERR, 1)
		if second, err := syscall.Dup(int(fd)); err == nil {
			syscall.CloseOnExec(second)
			r.fd = second
		}
	})
}

// newRefusalReader returns a reader for one connection.
func newRefusalReader() *refusalReader { return &refusalReader{fd: -1} }

func (r *refusalReader) close() {
	if r.fd >= 0 {
		_ = syscall.Close(r.fd)
	}
}

// The fields of struct sock_extended_err and its origins (include/uapi/linux/errqueue.h).
const (
	errOrigin, errType, errCode = 4, 5, 6 // after ee_errno, which has four bytes
	originICMP, originICMP6     = 2, 3
	extendedErrorLen            = 16
)

// told reports whether a connection that was refused without an ICMP error was reset: else it is
// not known.
func (r *refusalReader) told() bool { return r.fd >= 0 }

// icmp returns the ICMP error that ended the connection; false: there was none.
func (r *refusalReader) icmp() (icmpError, bool) {
	if r.fd < 0 {
		return icmpError{}, false
	}
	data, control := make([]byte, 256), make([]byte, 512)
	_, n, _, _, err := syscall.Recvmsg(r.fd, data, control, syscall.MSG_ERRQUEUE|syscall.MSG_DONTWAIT)
	if err != nil {
		return icmpError{}, false
	}
	messages, err := syscall.ParseSocketControlMessage(control[:n])
	if err != nil {
		return icmpError{}, false
	}
	for _, m := range messages {
		if found, ok := extendedError(m); ok {
			return found, true
		}
	}
	return icmpError{}, false
}

// extendedError reads a control message of the error queue.
func extendedError(m syscall.SocketControlMessage) (icmpError, bool) {
	about := m.Header.Level == syscall.SOL_IP && m.Header.Type == syscall.IP_RECVERR ||
		m.Header.Level == syscall.SOL_IPV6 && m.Header.Type == syscall.IPV6_RECVERR
	if !about || len(m.Data) < extendedErrorLen || binary.NativeEndian.Uint32(m.Data) == 0 {
		return icmpError{}, false
	}
	origin := m.Data[errOrigin]
	return icmpError{origin == originICMP6, m.Data[errType], m.Data[errCode]}, origin == originICMP || origin == originICMP6
}
