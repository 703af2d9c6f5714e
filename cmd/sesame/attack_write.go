package main

import (
	"fmt"
	"io"
	"path/filepath"

	"sesame/simulate/attack"
	"sesame/simulate/craft"
)

// writeFirst writes the first scan that opened a door as a capture, when that is asked for.
func (f *attackFlags) writeFirst(p *program, a *attacked, r *attackReport) error {
	if f.write.name == "" {
		return nil
	}
	for i := range r.Scans {
		for _, at := range r.Scans[i].Doors {
			if at.Opened > 0 {
				return f.writeScan(p, attack.NewScanner(a.target, r.Scans[i].scan), &at)
			}
		}
	}
	p.note("%s is not written: no scan opened a door", f.write.name)
	return nil
}

// writeScan writes a scan.
func (f *attackFlags) writeScan(p *program, s *attack.Scanner, at *scanAt) error {
	seed := uint64(0) // of a sweep up or down, which is the same for each
	if at.Seed != nil {
		seed = *at.Seed
	}
	file, err := s.Capture(seed)
	if err != nil {
		return err
	}
	data, err := file.Encode(filepath.Base(f.write.name))
	if err != nil {
		return err
	}
	if _, err := f.write.write(func(w io.Writer) error { _, err := w.Write(data); return err }); err != nil {
		return err
	}
	p.note("%s: a scan that opened %s by packet %d", f.write.name, at.Door, at.Packet)
	return nil
}

// checkWrite checks whether the file can be written, before the attack.
func (f *attackFlags) checkWrite() error {
	if f.write.name == "" {
		return nil
	}
	if _, err := new(craft.File).Encode(filepath.Base(f.write.name)); err != nil {
		return fmt.Errorf("--write %s: %w", f.write.name, err)
	}
	return f.write.free()
}
