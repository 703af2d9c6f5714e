package client

import (
	"fmt"
	"strings"
)

// The texts of --help and of the manual page.
const (
	Short = "Knock at the ports of a host: one packet to each, in order"

	Description = `HOST is a name or an address. KNOCK is 7000 or tcp/7000 for a TCP SYN, udp/8000
for a UDP datagram; 8000:tcp and 8000:udp, as knockd has them, mean the same.

The first IPv4 and the first IPv6 address of the host are knocked at, side by
side: a door opens to the address that knocked, and nobody knows which one the
next program will use.

It ends 50 ms after the last knock, so that the next program finds the door open.`

	Statuses = `The exit status is 0 when the knocks were sent, 1 when the port of --then is
closed on the address that programs try first, and 2 when the knocks could not
be sent.`

	// Examples has %s where the name of the program stands.
	Examples = `%s host.example tcp/7421 udp/9133 tcp/2904 tcp/6117
%s --then tcp/22 host.example 7421 udp/9133 2904 6117 && ssh host.example`
)

// Help returns the text of --help.
func (p Program) Help() string {
	var flags strings.Builder
	for _, f := range Flags() {
		flags.WriteString(f.String())
	}
	examples := "  " + strings.ReplaceAll(strings.ReplaceAll(Examples, "\n", "\n  "), "%s", p.Name)
	return fmt.Sprintf("%s\n\nUsage:\n  %s [flags] HOST KNOCK...\n\n%s\n\nFlags:\n%s\n%s\n\nExamples:\n%s\n",
		Short, p.Name, Description, flags.String(), Statuses, examples)
}

// String returns a flag with its text, in lines of 80 columns.
func (f Flag) String() string {
	const column, width = 21, 80
	letter := "    "
	if f.Letter != 0 {
		letter = "-" + string(f.Letter) + ", "
	}
	line := fmt.Sprintf("%-*s", column, "  "+letter+"--"+f.Name+" "+f.Value)
	var b strings.Builder
	for i, word := range strings.Fields(f.Text) {
		if len(line)+len(word) > width {
			b.WriteString(strings.TrimRight(line, " ") + "\n")
			line = strings.Repeat(" ", column)
		}
		if i > 0 && len(line) > column {
			line += " "
		}
		line += word
	}
	return b.String() + line + "\n"
}
