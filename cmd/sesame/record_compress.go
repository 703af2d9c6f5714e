//go:build linux

package main

import (
	"errors"
	"fmt"
	"io"
	"path/filepath"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// compressed calls write with a writer that compresses to w as the name of the file says. Other
// programs, and people, take a file that ends in .zst or .gz for one.
func compressed(name string, w io.Writer, write func(io.Writer) error) error {
	var to io.WriteCloser
	switch filepath.Ext(name) {
	case ".zst":
		encoder, err := zstd.NewWriter(w, zstd.WithEncoderConcurrency(1))
		if err != nil {
			return fmt.Errorf("compressing with zstd: %w", err)
		}
		to = encoder
	case ".gz":
		to = gzip.NewWriter(w)
	default:
		return write(w)
	}
	return errors.Join(write(to), to.Close())
}
