//go:build linux

package privileged

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"

	"sesame/scripting/source"
)

// Bounds of an archive. Those of the files are the bounds of a set: see [source.Read].
const (
	maxArchive  = 256 << 20
	maxIndex    = 16 << 20
	maxEntries  = 4096
	maxReason   = 4096 // why a file could not be read
	maxSettings = 4096
	maxSetting  = 64 << 10
)

// An archive is all that a set is loaded from: files as they were read, and the values of the
// options of the scripts. As bytes it is the length of its index in eight bytes (big endian), the
// index, and the texts of the files one after another.
type archive struct {
	dir, single, base string
	settings          map[string]string // values of options
	lists             []string          // the names of those that were written as lists
	stored            []source.Stored
}

// archiveOf returns the archive of files.
func archiveOf(files *source.Files, settings map[string]string, lists []string) archive {
	return archive{files.Dir, files.Single, files.Base, settings, lists, files.Stored()}
}

// files returns the files of an archive.
func (a *archive) files() *source.Files {
	return source.Restored(a.dir, a.single, a.base, a.stored)
}

// code codes the index. A text has its length there.
func (a *archive) code(c *codec, lengths *[]uint64) {
	for _, text := range []*string{&a.dir, &a.single, &a.base} {
		c.text(text, maxPath)
	}
	values(c, &a.settings, maxSettings, maxName, func(v *string) { c.text(v, maxSetting) })
	c.texts(&a.lists, maxSettings, maxName)
	list(c, &a.stored, maxEntries, func(s *source.Stored) {
		c.text(&s.Path, maxPath)
		c.text(&s.Failed, maxReason)
		c.text(&s.Warning, maxReason)
		length := uint64(len(s.Source))
		c.number(&length, maxArchive)
		*lengths = append(*lengths, length)
	})
}

// write writes an archive, and returns the hash of its bytes.
func (a *archive) write(w io.Writer) (sum hash, err error) {
	c, lengths, total := codec{}, []uint64{}, uint64(0)
	a.code(&c, &lengths)
	for _, n := range lengths {
		total += n
	}
	if err := c.end(); err != nil {
		return sum, fmt.Errorf("the index of the scripts: %w", err)
	}
	if len(c.b) > maxIndex || total > maxArchive-maxIndex-8 {
		return sum, fmt.Errorf("the scripts and the files that they name have %d bytes: at most %d", total, maxArchive-maxIndex-8)
	}
	h := sha256.New()
	w = io.MultiWriter(w, h)
	if _, err := w.Write(append(binary.BigEndian.AppendUint64(nil, uint64(len(c.b))), c.b...)); err != nil {
		return sum, err
	}
	for _, s := range a.stored {
		if _, err := w.Write(s.Source); err != nil {
			return sum, err
		}
	}
	h.Sum(sum[:0])
	return sum, nil
}

// readArchive reads an archive. The texts of its files are parts of b.
func readArchive(b []byte) (archive, error) {
	if len(b) < 8 {
		return archive{}, fmt.Errorf("reading an archive: %w", errShort)
	}
	length := binary.BigEndian.Uint64(b)
	if b = b[8:]; length > maxIndex || length > uint64(len(b)) {
		return archive{}, fmt.Errorf("reading an archive: an index of %d bytes", length)
	}
	var a archive
	var lengths []uint64
	c := codec{reading: true, b: b[:length]}
	a.code(&c, &lengths)
	if err := c.end(); err != nil {
		return archive{}, fmt.Errorf("reading the index of an archive: %w", err)
	}
	b = b[length:]
	for i, n := range lengths {
		if n > uint64(len(b)) {
			return archive{}, fmt.Errorf("reading an archive: %w", errShort)
		}
		a.stored[i].Source, b = b[:n:n], b[n:]
	}
	if len(b) > 0 {
		return archive{}, fmt.Errorf("reading an archive: %d bytes too many", len(b))
	}
	return a, nil
}

// sealed writes an archive to memory that nobody can change any more, and returns a descriptor that
// reads it.
func (a *archive) sealed() (file *os.File, sum hash, err error) {
	const name = "sesame-scripts"
	fd, err := unix.MemfdCreate(name, unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING|unix.MFD_NOEXEC_SEAL)
	if errors.Is(err, unix.EINVAL) { // before Linux 6.3
		fd, err = unix.MemfdCreate(name, unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	}
	if err != nil {
		return nil, sum, fmt.Errorf("making memory for the scripts: %w", err)
	}
	file = os.NewFile(uintptr(fd), name)
	if sum, err = a.write(file); err == nil {
		_, err = unix.FcntlInt(file.Fd(), unix.F_ADD_SEALS, unix.F_SEAL_WRITE|unix.F_SEAL_GROW|unix.F_SEAL_SHRINK|unix.F_SEAL_SEAL)
	}
	if err != nil {
		_ = file.Close() // it is of no use
		return nil, sum, fmt.Errorf("writing the scripts to memory: %w", err)
	}
	return file, sum, nil
}

// hashOfFile returns the hash of an archive in a file.
func hashOfFile(file *os.File) (sum hash, err error) {
	h := sha256.New()
	_, err = io.Copy(h, io.NewSectionReader(file, 0, maxArchive))
	h.Sum(sum[:0])
	return sum, err
}

// readFile reads an archive from a descriptor, from the beginning, whatever its offset is.
func readFile(file *os.File) (archive, error) {
	info, err := file.Stat()
	if err != nil {
		return archive{}, fmt.Errorf("looking at an archive: %w", err)
	}
	if info.Size() > maxArchive {
		return archive{}, fmt.Errorf("an archive of %d bytes: at most %d", info.Size(), maxArchive)
	}
	text := bytes.NewBuffer(make([]byte, 0, info.Size()+bytes.MinRead))
	if _, err := text.ReadFrom(io.NewSectionReader(file, 0, info.Size())); err != nil {
		return archive{}, fmt.Errorf("reading an archive: %w", err)
	}
	a, err := readArchive(text.Bytes())
	// Each text in memory of its own: one that is kept must not keep the others.
	for i := range a.stored {
		a.stored[i].Source = bytes.Clone(a.stored[i].Source)
	}
	return a, err
}
