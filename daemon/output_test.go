package daemon

import (
	"bytes"
	"context"
	"io"
	"strings"
	"testing"
	"testing/synctest"
)

func TestAnOutputNeverWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		read, write := io.Pipe()
		out := NewOutput(write)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- out.Run(ctx) }()

		t.Log("# nobody reads: the writer goes on, and what does not fit is lost")
		for range 5000 {
			io.WriteString(out, "a line\n")
		}
		var got bytes.Buffer
		taken := make(chan struct{})
		go func() { io.Copy(&got, read); close(taken) }()
		synctest.Wait()

		t.Log("# somebody reads again, and is told how many lines are missing")
		io.WriteString(out, "the last\n")
		synctest.Wait()
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		write.Close()
		<-taken
		lines := strings.Count(got.String(), "a line\n")
		if !strings.Contains(got.String(), "lines were lost here") || !strings.HasSuffix(got.String(), "the last\n") || lines < 1024 || lines > 1026 {
			t.Errorf("%d lines arrived, and at the end:\n%s", lines, got.String()[max(0, got.Len()-200):])
		}
	})
}
