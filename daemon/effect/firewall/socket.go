package firewall

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// A socket is a netlink connection (netlink(7), NETLINK_NETFILTER) to nftables of the
// network namespace of the thread that opens it. The zero value is ready: the socket opens
// when it is used. After an error it is replaced by a new one, since late answers to an earlier
// message may come. While the process has no file descriptor for a new one, the old one goes on:
// late answers have other sequence numbers, and access must not depend on a descriptor that is not
// there. It is safe for concurrent use.
type socket struct {
	mu       sync.Mutex
	open     bool
	stale    bool // it had an error
	fd       int
	sequence uint32
	buffer   []byte

	// ports are the netlink addresses that the kernel gave us last, the newest first. A
	// monitor recognizes our own changes by them. The notification of a change that an
	// earlier socket made may arrive after the next was opened, so four are stored.
	portsMu sync.Mutex
	ports   [4]uint32
}

const (
	// answerTimeout is far longer than the kernel takes. It ends the wait for an answer that
	// the kernel could not send, since it had no memory.
	answerTimeout = 10 * time.Second
	sendBuffer    = 8 << 20 // bytes; a transaction is sent as one message of some 6 MB at most
	receiveBuffer = 1 << 20 // bytes
)

// A refusal is the error that nftables returned for one message of a batch.
type refusal struct {
	at   int // index of the message; -1: the batch as a whole
	what string
	err  syscall.Errno
}

// Refusals are the errors for which the kernel did nothing of a batch. It checks all
// messages before it gives up, so there may be several.
type refusals []refusal

func (r refusals) Error() string {
	if r[0].at < 0 {
		return r[0].err.Error()
	}
	return r[0].what + ": " + r[0].err.Error()
}

// Unwrap lets errors.Is find any of the errors.
func (r refusals) Unwrap() []error {
	var all []error
	for _, one := range r {
		all = append(all, one.err)
	}
	return all
}

// errInterrupted means that the kernel's list changed while it was read (NLM_F_DUMP_INTR), so the
// list may lack entries or have some twice.
var errInterrupted = errors.New("the firewall changed while it was read")

// close closes the socket; the next use opens it again.
func (s *socket) close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.drop()
}

func (s *socket) drop() error {
	if !s.open {
		return nil
	}
	s.open, s.stale = false, false
	return unix.Close(s.fd)
}

// owns reports whether a change by the socket with this port was ours.
func (s *socket) owns(port uint32) bool {
	s.portsMu.Lock()
	defer s.portsMu.Unlock()
	return port != 0 && slices.Contains(s.ports[:], port)
}

// ready opens the socket if it is not open, and replaces one that had an error.
func (s *socket) ready() error {
	if s.open && !s.stale {
		return nil
	}
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_NETFILTER)
	if s.open && (errors.Is(err, unix.EMFILE) || errors.Is(err, unix.ENFILE)) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("opening a socket to nftables: %w", err)
	}
	port, err := prepare(fd)
	if err != nil {
		_ = unix.Close(fd) // the first error is returned
		return fmt.Errorf("opening a socket to nftables: %w", err)
	}
	_ = s.drop() // it was stale
	s.fd, s.open = fd, true
	if s.buffer == nil {
		s.buffer = make([]byte, 1<<17)
	}
	s.portsMu.Lock()
	defer s.portsMu.Unlock()
	copy(s.ports[1:], s.ports[:]) // copy allows the overlap
	s.ports[0] = port
	return nil
}

// prepare sets a socket's options and binds it, and returns the port that the kernel gave
// it. With NETLINK_CAP_ACK an error answer does not repeat the message that it is about.
func prepare(fd int) (uint32, error) {
	limit := unix.NsecToTimeval(answerTimeout.Nanoseconds())
	err := errors.Join(
		unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}),
		unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &limit),
		unix.SetsockoptInt(fd, unix.SOL_NETLINK, unix.NETLINK_CAP_ACK, 1),
	)
	if err != nil {
		return 0, err
	}
	// Without CAP_NET_ADMIN the buffers stay small, and large changes are refused.
	_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_SNDBUFFORCE, sendBuffer)
	_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, receiveBuffer)
	name, err := unix.Getsockname(fd)
	if err != nil {
		return 0, err
	}
	address, ok := name.(*unix.SockaddrNetlink)
	if !ok {
		return 0, fmt.Errorf("a netlink socket with an address of type %T", name)
	}
	return address.Pid, nil
}

// transact makes the kernel do all of a batch, or nothing. Only the last message requests
// an acknowledgement. For the others the kernel answers failures alone,
// which come in the order of the messages. The error of a refused batch is [refusals].
func (s *socket) transact(batch []message) error {
	if len(batch) == 0 {
		return nil
	}
	for _, m := range batch {
		if m.err != nil {
			return fmt.Errorf("writing %s: %w", m.what, m.err)
		}
	}
	var failed refusals
	// The begin and the end of a batch are messages as well.
	encoded := func(first uint32) []byte { return encode(batch, first) }
	err := s.exchange(len(batch)+2, encoded, func(first uint32, h syscall.NlMsghdr, data []byte) (bool, error) {
		at := int(int32(h.Seq-first)) - 1 // sequence numbers wrap around
		if h.Type != unix.NLMSG_ERROR || len(data) < 4 || at < -1 || at >= len(batch) {
			return false, nil
		}
		errno := errnoOf(data)
		switch {
		case at < 0:
			// An error of the begin, such as a missing privilege, is about the whole batch, and
			// no answer to the messages follows.
			failed = append(failed, refusal{at: at, err: errno})
			return true, failed
		case errno != 0:
			failed = append(failed, refusal{at, batch[at].what, errno})
		}
		return at == len(batch)-1, nil
	})
	if len(failed) > 0 {
		return failed
	}
	return err
}

// errnoOf returns the error in an answer; 0: it acknowledges.
func errnoOf(data []byte) syscall.Errno {
	return syscall.Errno(max(0, -int32(binary.NativeEndian.Uint32(data))))
}

// encode returns a batch as bytes. Its begin has the sequence number first, and each message
// the next, which answers refer to.
func encode(batch []message, first uint32) []byte {
	size := 3 * 64
	for _, m := range batch {
		size += len(m.body) + 32
	}
	b := make([]byte, 0, size)
	b = appendMessage(b, unix.NFNL_MSG_BATCH_BEGIN, 0, first, unix.AF_UNSPEC, unix.NFNL_SUBSYS_NFTABLES, nil)
	for i, m := range batch {
		flags := m.flags
		if i == len(batch)-1 {
			flags |= unix.NLM_F_ACK
		}
		b = appendMessage(b, m.number(), flags, first+uint32(i)+1, m.family, 0, m.body)
	}
	return appendMessage(b, unix.NFNL_MSG_BATCH_END, 0, first+uint32(len(batch))+1, unix.AF_UNSPEC, unix.NFNL_SUBSYS_NFTABLES, nil)
}

// appendMessage appends a netlink header (nlmsghdr), the header of nfnetlink (nfgenmsg) and
// the attributes, whose length is a multiple of four.
func appendMessage(b []byte, kind, flags uint16, sequence uint32, family uint8, resource uint16, body []byte) []byte {
	b = binary.NativeEndian.AppendUint32(b, uint32(unix.NLMSG_HDRLEN+4+len(body)))
	b = binary.NativeEndian.AppendUint16(b, kind)
	b = binary.NativeEndian.AppendUint16(b, flags|unix.NLM_F_REQUEST)
	b = binary.NativeEndian.AppendUint32(b, sequence)
	b = binary.NativeEndian.AppendUint32(b, 0) // the sender's port, which the kernel fills in
	b = append(b, family, unix.NFNETLINK_V0)
	b = binary.BigEndian.AppendUint16(b, resource)
	return append(b, body...)
}

// A reply is one message that answers a question.
type reply struct {
	attributes
	family uint8
	body   []byte // the attributes as they came; valid until the next reply is read
}

// query sends a request and calls each for each reply. With the flag NLM_F_DUMP it is a
// request for all objects. The error is errInterrupted when these changed while the kernel
// listed them.
func (s *socket) query(m message, each func(reply)) error {
	if m.err != nil {
		return fmt.Errorf("querying nftables about %s: %w", m.what, m.err)
	}
	flags := m.flags
	if flags&unix.NLM_F_DUMP == 0 { // the end of a dump is a message of its own, NLMSG_DONE
		flags |= unix.NLM_F_ACK
	}
	question := func(sequence uint32) []byte {
		return appendMessage(nil, m.number(), flags, sequence, m.family, 0, m.body)
	}
	interrupted := false
	var refused error // ends the answer, and leaves the socket usable
	err := s.exchange(1, question, func(sequence uint32, h syscall.NlMsghdr, data []byte) (bool, error) {
		if h.Seq != sequence { // a late answer to an earlier question
			return false, nil
		}
		interrupted = interrupted || h.Flags&unix.NLM_F_DUMP_INTR != 0
		switch {
		case h.Type == unix.NLMSG_ERROR || h.Type == unix.NLMSG_DONE:
			if len(data) >= 4 && errnoOf(data) != 0 {
				refused = errnoOf(data)
			}
			return true, nil
		case len(data) < 4:
			return false, nil
		}
		all, err := netlink.UnmarshalAttributes(data[4:])
		if err == nil {
			each(reply{all, data[0], data[4:]})
		}
		return false, err
	})
	if err = cmp.Or(err, refused); err != nil {
		return fmt.Errorf("querying nftables about %s: %w", m.what, err)
	}
	if interrupted {
		return errInterrupted
	}
	return nil
}

// exchange sends messages, and calls done for each message that arrives, until done returns
// true or an error. encoded returns the messages as bytes; the sequence number of the first is
// given, and each of the count messages has the next.
func (s *socket) exchange(count int, encoded func(first uint32) []byte, done func(first uint32, h syscall.NlMsghdr, data []byte) (bool, error)) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.ready(); err != nil {
		return err
	}
	first := s.sequence + 1
	s.sequence += uint32(count)
	err := unix.Sendto(s.fd, encoded(first), 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK})
	if err != nil {
		err = fmt.Errorf("sending to nftables: %w", err)
	}
	for finished := false; err == nil && !finished; {
		finished, err = s.receive(func(h syscall.NlMsghdr, data []byte) (bool, error) { return done(first, h, data) })
	}
	if err != nil {
		s.stale = true // more answers may follow
	}
	return err
}

// receive reads once, and calls done for each message that came.
func (s *socket) receive(done func(syscall.NlMsghdr, []byte) (bool, error)) (finished bool, err error) {
	n, _, flags, _, err := unix.Recvmsg(s.fd, s.buffer, nil, 0)
	switch {
	case errors.Is(err, unix.EINTR):
		return false, nil
	case err != nil:
		return false, fmt.Errorf("waiting for nftables: %w", err)
	case flags&unix.MSG_TRUNC != 0:
		return false, fmt.Errorf("an answer of more than %d bytes", len(s.buffer))
	}
	messages, err := syscall.ParseNetlinkMessage(s.buffer[:n])
	if err != nil {
		return false, fmt.Errorf("an answer that is cut off: %w", err)
	}
	for _, m := range messages {
		if finished, err := done(m.Header, m.Data); finished || err != nil {
			return finished, err
		}
	}
	return false, nil
}
