package journald

// eventOf returns the EVENT field of a message of the log; "": it has none. The names are those of
// events and effects in docs/transcript.md where there is one. Messages are constant, and a test
// looks for each of these in the source.
func eventOf(message string) string {
	switch message {
	case "stage", "miss", "open", "audit":
		return message
	case "refused":
		return "refuse"
	case "a script failed":
		return "error"
	case "access opened", "access would be open: the door only observes":
		return "allow"
	case "access closed", "access goes on for other grants":
		return "close"
	case "sessions cut":
		return "cut"
	case "command ran":
		return "run"
	case "command failed", "command stopped", "firewall not changed":
		return "failed"
	case "script":
		return "log"
	case "scripts applied", "scripts rejected: the old ones stay", "scripts rejected, since a test fails: the old ones stay",
		"scripts held: the old ones stay":
		return "reload"
	case "ready":
		return "start"
	}
	return ""
}
