package control

import (
	"sync"

	"sesame/daemon/engine"
)

// A Tail holds the latest events for readers and followers.
//
// It is a ring buffer. Each reader has a position in it. The Tail holds nothing for a reader,
// so no reader can block the writer. A reader that is too slow loses the events that were
// overwritten, and learns their number.
//
// All methods may be called from many goroutines. Events are in the order of the calls of Add.
type Tail struct {
	most, mostTexts int // events and bytes that the ring holds

	mu      sync.Mutex
	ring    []engine.Event
	oldest  uint64        // number of the oldest event in the ring; they are counted from 0
	next    uint64        // number of the next event
	texts   int           // bytes of the texts in the ring
	changed chan struct{} // closed by the next Add; nil: nobody waits
}

// Bounds of the ring: events, and bytes of their texts. An event takes about 300 bytes without
// its texts.
const (
	tailEvents = 10_000
	tailTexts  = 4 << 20
)

// NewTail returns an empty Tail.
func NewTail() *Tail { return newTail(tailEvents, tailTexts) }

func newTail(events, texts int) *Tail { return &Tail{most: events, mostTexts: texts} }

// Add copies the events that a transcript shows into the ring. It does not wait for readers.
func (t *Tail) Add(events []engine.Event) {
	if len(events) == 0 {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	before := t.next
	for i := range events {
		if events[i].Shown() {
			t.add(&events[i])
		}
	}
	if t.next != before && t.changed != nil {
		close(t.changed)
		t.changed = nil
	}
}

func (t *Tail) add(e *engine.Event) {
	size := textsOf(e)
	for t.next-t.oldest == uint64(t.most) || t.texts+size > t.mostTexts && t.next > t.oldest {
		gone := t.at(t.oldest)
		t.texts -= textsOf(gone)
		*gone = engine.Event{}
		t.oldest++
	}
	if len(t.ring) < t.most {
		t.ring = append(t.ring, *e)
	} else {
		*t.at(t.next) = *e
	}
	t.texts += size
	t.next++
}

// at returns the place of the event with a number.
func (t *Tail) at(n uint64) *engine.Event { return &t.ring[n%uint64(t.most)] }

// textsOf returns the bytes of the texts that only this event has. Events share the names of
// doors and scripts.
func textsOf(e *engine.Event) int {
	n := len(e.Detail)
	for _, arg := range e.Argv {
		n += len(arg)
	}
	for _, f := range e.Fields {
		n += len(f.Value)
	}
	return n
}

// bounds returns the numbers of the oldest event and of the next event.
func (t *Tail) bounds() (oldest, next uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.oldest, t.next
}

// read copies events into a slice, from number from on. It returns how many, and the number of
// the first, which is above from when events were overwritten. When there are none, changed is
// closed at the next event.
func (t *Tail) read(from uint64, into []engine.Event) (n int, first uint64, changed <-chan struct{}) {
	t.mu.Lock()
	defer t.mu.Unlock()
	first = max(from, t.oldest)
	for n < len(into) && first+uint64(n) < t.next {
		into[n] = *t.at(first + uint64(n))
		n++
	}
	if n == 0 {
		if t.changed == nil {
			t.changed = make(chan struct{}) // it is only closed
		}
		changed = t.changed
	}
	return n, first, changed
}
