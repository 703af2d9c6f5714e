//go:build linux

package privileged

import (
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"
	"time"
)

// loaderPatience is how long a loader may take.
const loaderPatience = 30 * time.Second

// startLoader starts a loader for an archive, and returns its manifest. argv is a program that
// calls [Load] with its standard input and output.
func startLoader(argv []string, archive *os.File) (manifest, error) {
	out, in, err := os.Pipe()
	if err != nil {
		return manifest{}, fmt.Errorf("starting the loader: %w", err)
	}
	defer out.Close()
	loader, err := os.StartProcess(argv[0], argv, &os.ProcAttr{
		Dir: "/", Env: []string{"GOTRACEBACK=none"}, Files: []*os.File{archive, in, nil},
		Sys: &syscall.SysProcAttr{Setpgid: true}, // Ctrl-C in a terminal is for the daemon: a loader that it ended would be blamed
	})
	_ = in.Close() // the loader has its own
	if err != nil {
		return manifest{}, fmt.Errorf("starting the loader: %w", err)
	}
	text, readErr := readBounded(out, loaderPatience)
	_ = loader.Kill() // one that has closed its output has nothing more to do, or is ending already
	state, err := loader.Wait()
	switch {
	case readErr != nil:
		return manifest{}, fmt.Errorf("loading the scripts in a process of its own: %w", readErr)
	case err != nil:
		return manifest{}, fmt.Errorf("waiting for the loader: %w", err)
	case !state.Success():
		return manifest{}, fmt.Errorf("loading the scripts in a process of its own: it ended with %v", state)
	}
	return decodeManifest(text)
}

// readBounded reads a pipe to its end, and at most maxManifest bytes.
func readBounded(pipe *os.File, patience time.Duration) ([]byte, error) {
	if err := pipe.SetReadDeadline(now().Add(patience)); err != nil {
		return nil, err
	}
	text, err := io.ReadAll(io.LimitReader(pipe, maxManifest+1))
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return nil, fmt.Errorf("it took longer than %v", patience)
	case err != nil:
		return nil, err
	case len(text) > maxManifest:
		return nil, fmt.Errorf("it wrote more than %d MiB", maxManifest>>20)
	}
	return text, nil
}
