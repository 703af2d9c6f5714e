package capture

import (
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The status of a slot is the one thing that the kernel and we both write at any
// time, so it alone is read and written atomically: that orders the rest.

// loadStatus returns the status with which the slot begins. The slot has at
// least four bytes, and begins at a multiple of four.
func loadStatus(slot []byte) uint32 {
	_ = slot[3]
	return atomic.LoadUint32((*uint32)(unsafe.Pointer(unsafe.SliceData(slot))))
}

// release gives a slot back to the kernel; its bytes are not ours from then on.
func release(slot []byte) {
	_ = slot[3]
	atomic.StoreUint32((*uint32)(unsafe.Pointer(unsafe.SliceData(slot))), unix.TP_STATUS_KERNEL)
}
