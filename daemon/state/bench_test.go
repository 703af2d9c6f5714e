package state

import (
	"fmt"
	"testing"
	"time"

	"sesame/daemon/engine"
)

// benchDir returns a directory to append to. TMPDIR decides what disk it is on.
func benchDir(b *testing.B) *Dir {
	d := open(b, b.TempDir())
	recovered(b, d, monday)
	return d
}

// BenchmarkAppend is what a journal adds to the time from the last knock to the
// open port.
func BenchmarkAppend(b *testing.B) {
	for _, n := range []int{1, 1000} {
		b.Run(fmt.Sprint("records=", n), func(b *testing.B) {
			d := benchDir(b)
			records := make([]engine.Record, n)
			next := 0
			b.ReportAllocs()
			for b.Loop() {
				for i := range records {
					next++
					records[i] = grant(uint64(1+next%1000), monday)
				}
				appendAll(b, d, 0, records...)
			}
		})
	}
}

// BenchmarkCompact writes the largest journal anew, and BenchmarkRecover reads it.
func BenchmarkCompact(b *testing.B) {
	d := full(b)
	b.SetBytes(d.journal.good)
	for b.Loop() {
		d.journal.limit = 0
		appendAll(b, d, 0, grant(1, monday))
	}
}

func BenchmarkRecover(b *testing.B) {
	d := full(b)
	b.SetBytes(d.journal.good)
	for b.Loop() {
		d, _ = reopen(b, d, monday)
	}
}

// full returns a directory with as many live records as an engine has.
func full(b *testing.B) *Dir {
	d := benchDir(b)
	records := make([]engine.Record, 0, 2<<16)
	for i := range 1 << 16 {
		records = append(records, grant(uint64(i+1), monday.Add(time.Hour)), value(fmt.Sprintf("nonce %064d", i), true, monday.Add(time.Hour)))
	}
	appendAll(b, d, 0, records...)
	return d
}
