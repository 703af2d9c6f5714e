package output

import (
	"bytes"
	"io"
	"strings"
	"testing"
	"testing/synctest"
)

func TestAQueueNeverWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		read, write := io.Pipe()
		out := New(write, Text(0))
		flush := out.Start()

		t.Log("# nobody reads: the writer goes on, and what does not fit is lost")
		for range 5000 {
			io.WriteString(out, "a line\n")
		}
		if lost := out.Lost(); lost < 5000-1026 {
			t.Errorf("%d lines are lost of 5000", lost)
		}
		var got bytes.Buffer
		taken := make(chan struct{})
		go func() { io.Copy(&got, read); close(taken) }()
		synctest.Wait()

		t.Log("# somebody reads again, and gets the number of missing lines")
		io.WriteString(out, "the last\n")
		synctest.Wait()
		flush()
		write.Close()
		<-taken
		lines := strings.Count(got.String(), "a line\n")
		if !strings.Contains(got.String(), "lines were lost here") || !strings.HasSuffix(got.String(), "the last\n") || lines < 1024 || lines > 1026 {
			t.Errorf("%d lines arrived, and at the end:\n%s", lines, got.String()[max(0, got.Len()-200):])
		}
		if out.Lost() != 0 {
			t.Errorf("%d lines are still called lost", out.Lost())
		}
	})
}

// A writer that never returns does not keep flush.
func TestFlushIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		read, write := io.Pipe()
		out := New(write, Text(0))
		flush := out.Start()
		io.WriteString(out, "a line\n")
		flush()
		read.Close() // ends the goroutine, which the test would wait for
	})
}
