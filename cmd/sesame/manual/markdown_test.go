package manual

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

const pageText = `# The name

Text
of two lines.

## A part
- one
  more of one
- two

  and a block:

      code

1. first
2. second

### A smaller part
` + "```toml\nx = 1\n```" + `

    indented
    lines

| a | b | c |
| --- | --- | --- |
| x | y | |
| x\|y | z | w |

| one | two |
| --- | --- |
| e | f |

## [log]
Text before:
| head | x |
| --- | --- |
| a | b |
Text before:
### Part
Text before:
- item
{{keys "log"}}
{{- end}}
Last.
`

func TestMarkdown(t *testing.T) {
	p := newPage()
	p.fresh = false
	var directives []string
	p.Markdown(pageText, func(d string) { directives = append(directives, d) })
	want := `.PP
Text of two lines.
.SH "A PART"
.IP "\(bu" 4
one more of one
.IP "\(bu" 4
two
.RS 4
.PP
and a block:
.RS 4
.sp
.EX
code
.EE
.RE
.RE
.IP "1." 4
first
.IP "2." 4
second
.SS "A smaller part"
.RS 4
.EX
x = 1
.EE
.RE
.RS 4
.sp
.EX
indented
lines
.EE
.RE
.TP
x
b: y
.TP
x|y
b: z; c: w
.TP
e
f
.SH "[log]"
Text before:
.TP
a
b
.PP
Text before:
.SS "Part"
Text before:
.IP "\(bu" 4
item
.PP
Last.
`
	if diff := cmp.Diff(want, body(p)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{`keys "log"`, "end"}, directives); diff != "" {
		t.Errorf("directives (-want +got):\n%s", diff)
	}
}
