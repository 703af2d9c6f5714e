package capture

import (
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The kernel and this process both write the status of a slot, at any time. So it is read and
// written atomically. The atomic accesses also order the accesses to the rest of the slot.

// loadStatus returns the status, the first four bytes of a slot. The slot must begin at a multiple
// of four.
func loadStatus(slot []byte) uint32 {
	_ = slot[3]
	return atomic.LoadUint32((*uint32)(unsafe.Pointer(unsafe.SliceData(slot))))
}

// release returns a slot to the kernel, which may write to it from then on.
func release(slot []byte) {
	_ = slot[3]
	atomic.StoreUint32((*uint32)(unsafe.Pointer(unsafe.SliceData(slot))), unix.TP_STATUS_KERNEL)
}
