//go:build linux

package privileged

import (
	"encoding/json"
	"slices"
	"strings"

	"sesame/daemon/wire"
)

// This file is about lines of the journal that a newer version of Sesame wrote, and this one does
// not understand: their checksums are right. They stay in the journal for the newer version, and
// nothing of them is run. People are told the undos among them.

// A newerLine is a line that a newer version wrote.
type newerLine struct {
	Since int64           `json:"since"` // Unix nanoseconds, when it was not understood first
	Line  json.RawMessage `json:"line"`

	id   uint64 // of the undo; 0: not known
	door string
	argv []string // what is to run; nil: not known
	old  bool     // it was kept long enough: it is told once more, and written no more
}

// parseNewer returns what is known of a line that is not understood. ok is false when no newer
// version can have written it.
func parseNewer(body []byte, since int64) (n *newerLine, ok bool) {
	members := map[string]json.RawMessage{}
	if json.Unmarshal(body, &members) != nil || len(members) == 0 || members["done"] != nil || members["newer"] != nil {
		return nil, false
	}
	n = &newerLine{Since: since, Line: body}
	inner := map[string]json.RawMessage{}
	if json.Unmarshal(members["owed"], &inner) != nil {
		return n, true
	}
	var argv []wire.Text
	var door wire.Text
	if json.Unmarshal(inner["argv"], &argv) == nil && len(argv) > 0 {
		n.argv = wire.Convert[string](argv)
	}
	if json.Unmarshal(inner["door"], &door) == nil {
		n.door = string(door)
	}
	if json.Unmarshal(inner["id"], &n.id) != nil {
		n.id = 0
	}
	return n, true
}

// understand reads the JSON of a line and applies it, and keeps one of a newer version. since is
// when the line was not understood first; 0: now.
func (j *journal) understand(body []byte, since int64) bool {
	var l line
	if json.Unmarshal(body, &l) == nil && l.Newer == nil && l.isValid() {
		j.apply(l)
		return true
	}
	if l.Newer != nil && since == 0 {
		return l.Newer.Since > 0 && len(l.Newer.Line) > 0 && j.understand(l.Newer.Line, l.Newer.Since)
	}
	at := now().UnixNano()
	n, ok := parseNewer(slices.Clone(body), wire.NewerSince(since, at))
	if !ok {
		return false
	}
	n.old = at-n.Since > int64(wire.NewerLasts)
	j.last = max(j.last, n.id)
	j.newer = append(j.newer, n)
	return true
}

// forgetNewer forgets a line of a newer version about an undo.
func (j *journal) forgetNewer(id uint64) {
	j.newer = slices.DeleteFunc(j.newer, func(n *newerLine) bool { return n.id == id })
}

// newerSize returns about how many bytes the lines of a newer version have. The caller holds the
// lock.
func (j *journal) newerSize() (bytes int) {
	for _, n := range j.newer {
		bytes += len(n.Line)
	}
	return bytes
}

// newerUndos returns the undos of a newer version.
func (j *journal) newerUndos() (all []*newerLine) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, n := range j.newer {
		if n.argv != nil {
			all = append(all, n)
		}
	}
	return all
}

// reportNewer tells a daemon the undos that a newer version noted, and that nobody runs.
func (c *session) reportNewer() {
	for _, n := range c.server.journal.newerUndos() {
		command := strings.Join(n.argv, " ")
		const why = "a newer version of Sesame noted it, and this one does not understand how it is run: run it by hand, or start the newer version again"
		c.server.cfg.Log.Warn("an undo was not run", "door", n.door, "command", command, "error", why)
		c.send(message{kind: kindFailed, door: cut(n.door, maxName), line: cut(command, maxLine), text: why}, nil)
	}
}
