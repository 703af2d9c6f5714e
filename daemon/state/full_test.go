package state

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"

	"sesame/daemon/engine"
)

// TestRealFullDisk fills a file system to its last byte under a journal, and
// makes room again.
func TestRealFullDisk(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("mounting a small file system needs root")
	}
	dir := t.TempDir()
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends with its mounts
		err := errors.Join(unix.Unshare(unix.CLONE_NEWNS), unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""),
			unix.Mount("tmpfs", dir, "tmpfs", 0, "size=2m,mode=0700"))
		if err == nil {
			err = fillDisk(dir)
		}
		done <- err
	}()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

func fillDisk(dir string) error {
	d, err := Open(dir)
	if err != nil {
		return err
	}
	if _, err := d.Recover(monday); err != nil {
		return err
	}
	ballast, err := os.Create(dir + "/ballast")
	if err != nil {
		return err
	}
	defer ballast.Close()
	for err == nil {
		_, err = ballast.Write(make([]byte, 4096))
	}
	if !errors.Is(err, unix.ENOSPC) {
		return err
	}
	promised := uint64(0)
	for err = nil; err == nil; promised++ {
		err = d.Append([]engine.Record{grant(promised+1, monday)}, 0)
	}
	promised--
	if !errors.Is(err, unix.ENOSPC) || promised > 10_000 {
		return fmt.Errorf("after %d records on a full disk: %w", promised, err)
	}
	if err := d.SaveSet(savedSample()); !errors.Is(err, unix.ENOSPC) {
		return fmt.Errorf("saving a set on a full disk: %w", err)
	}
	refused := grant(1_000_000, monday)
	for range 10 {
		if err := d.Append([]engine.Record{refused}, 0); !errors.Is(err, unix.ENOSPC) {
			return fmt.Errorf("again on a full disk: %w", err)
		}
	}
	if err := ballast.Truncate(0); err != nil {
		return err
	}
	if err := d.Append([]engine.Record{grant(promised+1, monday), ended(1)}, 0); err != nil {
		return fmt.Errorf("with room again: %w", err)
	}
	if err := errors.Join(d.SaveSet(savedSample()), d.Close()); err != nil {
		return err
	}
	if d, err = Open(dir); err != nil {
		return err
	}
	defer d.Close()
	got, err := d.Recover(monday)
	if want := int(promised) + 1; err != nil || len(got.Records) != want || len(got.Warnings) != 0 || got.Records[0].Grant.ID != promised+1 {
		return fmt.Errorf("recovered %d records, want %d: %v, %w", len(got.Records), want, got.Warnings, err)
	}
	return nil
}
