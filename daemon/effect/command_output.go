package effect

import (
	"strings"

	"sesame/daemon/terminal"
)

// maxOutput is how many bytes of a command's output are stored, standard output and
// standard error together.
const maxOutput = 4 << 10

// An Output is what a command wrote, standard output and standard error together.
type Output struct {
	Text string // its beginning, made printable
	Lost int    // bytes beyond maxOutput
}

// A beginning stores the beginning of what is written to it.
type beginning struct {
	text []byte
	lost int
}

// Write never fails, since an error would end the program with SIGPIPE.
func (b *beginning) Write(p []byte) (int, error) {
	n := min(len(p), maxOutput-len(b.text))
	b.text = append(b.text, p[:n]...)
	b.lost += len(p) - n
	return len(p), nil
}

func (b *beginning) output() Output {
	return Output{printable(string(b.text)), b.lost}
}

// printable returns output for the log: a program may repeat what a stranger sent.
func printable(s string) string { return strings.TrimSpace(terminal.Printable(s)) }
