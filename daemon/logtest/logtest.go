// Package logtest turns the lines that a goroutine under test logs into text that
// the test can read in the meantime.
package logtest

import (
	"bytes"
	"sync"
)

// A Buffer takes what is written to it. All of its methods may be called from any
// goroutine.
type Buffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// Write adds b. It never fails.
func (b *Buffer) Write(text []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(text)
}

// String returns what was written so far.
func (b *Buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// Reset forgets what was written so far.
func (b *Buffer) Reset() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.text.Reset()
}
