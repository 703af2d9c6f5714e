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
func (r *reloader) unread(ctx context.Context) (lines []string) {
	r.loop.do(ctx, func() { lines = unreadTexts(r.loop.engine.Unread()) })
	return lines
}

// unreadTexts returns a line for each name, and at most maxUnread, with one more for the rest.
func unreadTexts(all []engine.Unread) (lines []string) {
	for i, one := range all {
		if i == maxUnread {
			return append(lines, fmt.Sprintf("what is kept under %s more", transcript.Count(len(all)-i, "name")))
		}
		lines = append(lines, unreadText(one))
	}
	return lines
}

// unreadText tells what is kept under one name, and what to do. Delays end by themselves.
func unreadText(u engine.Unread) string {
	var kept []string
	forget := ""
	if u.Values > 0 {
		kept = append(kept, transcript.Count(u.Values, "stored value"))
		forget = fmt.Sprintf("; to forget it: sesame store forget %s --all", transcript.Command([]string{u.Owner}))
	}
	if u.Delays > 0 {
		kept = append(kept, transcript.Count(u.Delays, "delay"))
	}
	return fmt.Sprintf("%s of %q: no script has this name; if its file was renamed, write sesame.script %q at its head%s",
		strings.Join(kept, " and "), u.Owner, u.Owner, forget)
}
