package capture

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	batched     = 32   // packets that one system call takes at most
	mostData    = 1968 // bytes that are kept of a packet
	controlRoom = 96   // bytes for the control messages of a packet: two, which take 72
)

// A batch is the packets that one system call took from the socket (recvmmsg(2)). The kernel has
// the addresses of its parts, so prepare is called once it has its final place.
type batch struct {
	headers      [batched]header
	vectors      [batched]unix.Iovec
	addresses    [batched][unix.SizeofSockaddrLinklayer]byte
	controls     [batched][controlRoom]byte
	data         [batched][mostData]byte
	next, filled int // the packets from next to filled are still to be read
}

// A header is struct mmsghdr of linux/socket.h.
type header struct {
	message unix.Msghdr
	length  uint32 // bytes of data
}

// prepare tells the headers where the parts of the batch are.
func (b *batch) prepare() {
	for i := range b.headers {
		b.vectors[i].Base = &b.data[i][0]
		b.vectors[i].SetLen(mostData)
		message := &b.headers[i].message
		message.Name, message.Control, message.Iov = &b.addresses[i][0], &b.controls[i][0], &b.vectors[i]
		message.SetIovlen(1)
	}
}

// fill takes packets from the socket when all of the batch were read. It never blocks. It returns
// unix.EAGAIN when there are none.
func (b *batch) fill(fd int) error {
	if b.next < b.filled {
		return nil
	}
	for i := range b.headers {
		message := &b.headers[i].message
		message.Namelen = unix.SizeofSockaddrLinklayer
		message.SetControllen(controlRoom)
	}
	n, _, errno := unix.Syscall6(unix.SYS_RECVMMSG, uintptr(fd), uintptr(unsafe.Pointer(&b.headers)), batched, unix.MSG_DONTWAIT, 0, 0)
	b.next, b.filled = 0, 0
	if errno != 0 {
		return errno
	}
	b.filled = int(n)
	return nil
}

// A message is one packet as the kernel hands it over.
type message struct {
	address []byte // struct sockaddr_ll of linux/if_packet.h
	control []byte // control messages: see [arrival.read]
	data    []byte
}

// take returns the next packet of a batch that has one. It is valid until the next fill.
func (b *batch) take() message {
	i := b.next
	b.next++
	h := &b.headers[i]
	return message{
		address: b.addresses[i][:min(h.message.Namelen, unix.SizeofSockaddrLinklayer)],
		control: b.controls[i][:min(h.message.Controllen, controlRoom)],
		data:    b.data[i][:min(h.length, mostData)],
	}
}
