package manual

import "strings"

// Prose writes the text of --help: paragraphs between empty lines, and lines that are indented by
// two columns as they are.
func (p *Page) Prose(text string) {
	for _, block := range Paragraphs(text) {
		if strings.HasPrefix(block, "  ") {
			p.Literal(unindented(strings.Split(block, "\n"), 2))
		} else {
			p.Para(block)
		}
	}
}

// Paragraphs returns the paragraphs of a text. Lines that are indented are one of their own, also
// with empty lines between them.
func Paragraphs(text string) (all []string) {
	literal := func(line string) bool { return strings.HasPrefix(line, "  ") }
	gap := ""
	for line := range strings.SplitSeq(strings.TrimSpace(text), "\n") {
		last := len(all) - 1
		switch {
		case line == "":
			gap = "\n"
			continue
		case last >= 0 && literal(line) == literal(all[last]) && (gap == "" || literal(line)):
			all[last] += gap + "\n" + line
		default:
			all = append(all, line)
		}
		gap = ""
	}
	return all
}
