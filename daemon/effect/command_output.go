package effect

import (
	"strings"

	"sesame/daemon/terminal"
)

// maxOutput is how many bytes of a command's output are kept, standard output
// and errors together.
const maxOutput = 4 << 10

// An output is what a command wrote.
type output struct {
	text string // its beginning, without what a terminal would obey
	lost int    // bytes that were not kept
}

// A keeper keeps the beginning of what is written to it.
type keeper struct {
	kept []byte
	lost int
}

// Write never fails: a program that writes too much shall not die of it.
func (k *keeper) Write(b []byte) (int, error) {
	n := min(len(b), maxOutput-len(k.kept))
	k.kept = append(k.kept, b[:n]...)
	k.lost += len(b) - n
	return len(b), nil
}

func (k *keeper) output() output {
	return output{printable(string(k.kept)), k.lost}
}

// printable returns output for the log: a program may repeat what a stranger sent.
func printable(s string) string { return strings.TrimSpace(terminal.Printable(s)) }
