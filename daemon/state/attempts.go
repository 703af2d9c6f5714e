package state

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"sesame/daemon/engine"
)

const (
	attemptsName = "attempts"
	attemptsWhat = "sesame attempts"

	// maxAttempts bounds the file, in bytes. 65,536 attempts, and as many limits, take some 20 MiB.
	maxAttempts = 64 << 20
)

// AttemptsVersion is the version of the file of attempts.
const AttemptsVersion = 1

// SaveAttempts saves what the next start continues with: see [engine.Engine.Carry]. It is for a
// clean stop, after the last Append. Nothing waits until it is on the disk: after a power cut it is
// missing. After an error there is no file, also none of an earlier stop.
func (d *Dir) SaveAttempts(c engine.Carried) error {
	d.saving.Lock()
	defer d.saving.Unlock()
	content, err := d.attemptsContent(c)
	if err == nil {
		err = d.writeAttempts(content)
	}
	if err != nil {
		d.forgetAttempts()
		return fmt.Errorf("saving attempts: %w", err)
	}
	return nil
}

func (d *Dir) attemptsContent(c engine.Carried) ([]byte, error) {
	id, err := d.journalID()
	if err != nil {
		return nil, err
	}
	content, err := appendLine(nil, header{attemptsWhat, AttemptsVersion, id})
	if err == nil {
		content, err = appendLine(content, c)
	}
	if err == nil && len(content) > maxAttempts {
		err = fmt.Errorf("they take %d bytes: at most %d", len(content), maxAttempts)
	}
	return content, err
}

// journalID returns the id of the journal as it is on the disk.
func (d *Dir) journalID() (string, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.journal == nil {
		return "", errors.New("the journal was not recovered, or is closed")
	}
	return d.journal.id, nil
}

func (d *Dir) writeAttempts(content []byte) error {
	file, err := d.disk.create(d.root, attemptsName+newSuffix)
	if err != nil {
		return err
	}
	err = errors.Join(d.disk.write(file, content, 0), file.Close())
	if err == nil {
		err = d.disk.rename(d.root, attemptsName+newSuffix, attemptsName)
	}
	return err
}

// Attempts returns what the last stop saved; false when there is none, as after a crash. It is
// called after [Dir.Recover], before the first Append, which deletes the file. An error means that
// the file exists and is not used, which costs attempts in progress and nothing else: it is
// damaged, or another run wrote the journal since, and what was in progress is long over.
func (d *Dir) Attempts() (c engine.Carried, saved bool, err error) {
	file, err := d.root.Open(attemptsName)
	if errors.Is(err, fs.ErrNotExist) {
		return c, false, nil
	}
	var id, of string
	if err == nil {
		defer file.Close()
		id, err = d.journalID()
	}
	if err == nil {
		c, of, err = readAttempts(file)
	}
	if err == nil && (of == "" || of != id) {
		err = errors.New("another run of Sesame wrote the journal since that stop")
	}
	if err != nil {
		return engine.Carried{}, false, fmt.Errorf("reading the attempts of before the stop: %s/%s: %w", d.path, attemptsName, err)
	}
	return c, true, nil
}

// readAttempts also returns the id of the journal that the attempts are of.
func readAttempts(r io.Reader) (c engine.Carried, of string, err error) {
	content, err := io.ReadAll(io.LimitReader(r, maxAttempts+1))
	if err != nil {
		return c, "", err
	}
	first, rest, _ := bytes.Cut(content, []byte("\n"))
	second, _, ended := bytes.Cut(rest, []byte("\n"))
	h := header{}
	text, right := checked(second)
	switch {
	case !parseLine(first, &h) || h.What != attemptsWhat || !ended || !right || len(content) > maxAttempts:
		return c, "", errors.New("it is damaged")
	case h.Version != AttemptsVersion:
		return c, "", fmt.Errorf("it has version %d, and this sesame reads version %d", h.Version, AttemptsVersion)
	}
	if json.Unmarshal(text, &c) != nil || c.State == nil {
		return engine.Carried{}, "", errors.New("another version of Sesame wrote it")
	}
	return c, h.ID, nil
}

// forgetAttempts deletes the file of attempts. That works on a full disk too. What a power cut
// brings back is of another journal.
func (d *Dir) forgetAttempts() {
	for _, name := range []string{attemptsName, attemptsName + newSuffix} {
		_ = d.root.Remove(name) // mostly there is none
	}
}
