package simulate

import (
	"container/heap"
	"slices"
	"time"

	"sesame/daemon/record"
)

// held is a wanted frame that was read ahead.
type held struct {
	frame record.Frame // its data are its own
	at    time.Time
}

// An ahead has the frames of a capture that were read ahead. The first of the list is the earliest,
// and at the same time the one that comes first in the capture: the list is a heap, so that many
// frames of one moment cost little each, in any order.
type ahead struct {
	list  []*held
	bytes int // of memory that the frames take
}

// heldCost is at least the memory of a frame without its data, in bytes: the frame, and its places
// in the list and in the one that takes its place when it grows.
const heldCost = 256

// add copies a frame.
func (a *ahead) add(h held) {
	h.frame.Data = slices.Clone(h.frame.Data)
	a.bytes += heldCost + len(h.frame.Data)
	heap.Push(a, &h)
}

// take removes the first frame.
func (a *ahead) take() *held {
	h := heap.Pop(a).(*held)
	a.bytes -= heldCost + len(h.frame.Data)
	return h
}

// Len, Less, Swap, Push and Pop are those of [heap.Interface].
func (a *ahead) Len() int { return len(a.list) }

func (a *ahead) Less(i, j int) bool {
	x, y := a.list[i], a.list[j]
	return x.at.Before(y.at) || x.at.Equal(y.at) && x.frame.Number < y.frame.Number
}

func (a *ahead) Swap(i, j int) { a.list[i], a.list[j] = a.list[j], a.list[i] }

func (a *ahead) Push(h any) { a.list = append(a.list, h.(*held)) }

func (a *ahead) Pop() any {
	last := len(a.list) - 1
	h := a.list[last]
	a.list[last], a.list = nil, a.list[:last]
	return h
}
