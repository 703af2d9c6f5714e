package state

// ClockWasSynchronised reports whether [Dir.NoteClockSynchronised] was called, in this run of the
// program or an earlier one.
func (d *Dir) ClockWasSynchronised() bool {
	_, err := d.root.Stat(clockName)
	if err == nil {
		d.synchronised.Store(true)
	}
	return err == nil
}

// NoteClockSynchronised stores that something synchronised the wall clock of this machine.
func (d *Dir) NoteClockSynchronised() error {
	d.saving.Lock()
	defer d.saving.Unlock()
	file, err := d.replace(clockName, nil)
	if file != nil {
		_ = file.Close() // it is empty
		d.synchronised.Store(true)
	}
	return err
}
