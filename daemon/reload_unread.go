package daemon

import (
	"context"
	"fmt"
	"strings"

	"sesame/daemon/engine"
	"sesame/daemon/transcript"
)

// maxUnread bounds the lines about stored values that no script reads.
const maxUnread = 20

// unread tells what is stored and belongs to no script of the set that runs: a file was renamed or
// removed. Nothing of it is forgotten.
func (r *reloader) unread(ctx context.Context) []string {
	var all []engine.Unread
	r.loop.do(ctx, func() { all = r.loop.engine.Unread() })
	var lines []string
	for i, one := range all {
		if i == maxUnread {
			return append(lines, fmt.Sprintf("and what is kept under %s more", transcript.Count(len(all)-i, "name")))
		}
		lines = append(lines, unreadText(one))
	}
	return lines
}

// unreadText tells what is kept under one name, and what to do.
func unreadText(u engine.Unread) string {
	var kept []string
	if u.Values > 0 {
		kept = append(kept, transcript.Count(u.Values, "stored value"))
	}
	if u.Delays > 0 {
		kept = append(kept, transcript.Count(u.Delays, "delay"))
	}
	return fmt.Sprintf("%s of %q: no script has this name; if its file was renamed, write sesame.script %q at its head", strings.Join(kept, " and "), u.Owner, u.Owner)
}
