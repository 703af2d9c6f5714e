package manual

import (
	"strings"
)

// Markdown writes a page of the documentation without its title. Insert is called for lines that
// are directives of a template, such as {{keys "log"}}.
func (p *Page) Markdown(text string, insert func(directive string)) {
	r := &markdown{page: p, lines: strings.Split(text, "\n"), insert: insert}
	for r.at < len(r.lines) {
		r.block()
	}
}

// A markdown reads the blocks of Markdown that the documentation uses.
type markdown struct {
	page   *Page
	lines  []string
	at     int
	insert func(string)
}

// taken returns the lines from here on for which a condition holds, and goes behind them.
func (r *markdown) taken(while func(line string) bool) []string {
	begin := r.at
	for r.at < len(r.lines) && while(r.lines[r.at]) {
		r.at++
	}
	return r.lines[begin:r.at]
}

// block writes one block.
func (r *markdown) block() {
	line := r.lines[r.at]
	switch {
	case strings.TrimSpace(line) == "" || strings.HasPrefix(line, "# "): // the name of the page is its title
		r.at++
	case strings.HasPrefix(line, "## "):
		r.at++
		r.page.Heading(heading(strings.Trim(line, "# ")))
	case strings.HasPrefix(line, "### "):
		r.at++
		r.page.Subheading(inline(strings.Trim(line, "# ")))
	case strings.HasPrefix(line, "{{"):
		r.at++
		r.insert(strings.Trim(line, "{}- "))
	case strings.HasPrefix(line, "```"):
		r.fenced()
	case strings.HasPrefix(line, "    "):
		r.page.Literal(unindented(r.taken(func(l string) bool { return strings.HasPrefix(l, "    ") }), 4))
	case strings.HasPrefix(line, "|"):
		r.table(r.taken(func(l string) bool { return strings.HasPrefix(l, "|") }))
	case marker(line) != "":
		r.item(marker(line))
	default:
		r.page.Para(strings.Join(r.taken(isText), " "))
	}
}

// heading returns the title of a section as sections of manual pages have it. The name of a table,
// such as [log], stays what a person has to write.
func heading(title string) string {
	if strings.HasPrefix(title, "[") {
		return title
	}
	return strings.ToUpper(title)
}

// isText reports whether a line belongs to a paragraph that began before it.
func isText(line string) bool {
	for _, begin := range []string{"#", "{{", "```", "|"} {
		if strings.HasPrefix(line, begin) {
			return false
		}
	}
	return strings.TrimSpace(line) != "" && marker(line) == ""
}

// marker returns the beginning of an item of a list, such as "- " or "1. ".
func marker(line string) string {
	if strings.HasPrefix(line, "- ") {
		return "- "
	}
	number := strings.TrimLeft(line, "0123456789")
	if number != line && strings.HasPrefix(number, ". ") {
		return line[:len(line)-len(number)+2]
	}
	return ""
}

// fenced writes lines between fences.
func (r *markdown) fenced() {
	r.at++
	lines := r.taken(func(l string) bool { return !strings.HasPrefix(l, "```") })
	r.at++
	r.page.Literal(strings.Join(lines, "\n"))
}

// item writes an item of a list, with all blocks that are indented below it.
func (r *markdown) item(mark string) {
	indent := strings.Repeat(" ", len(mark))
	r.lines[r.at] = indent + strings.TrimPrefix(r.lines[r.at], mark)
	body := r.taken(func(l string) bool { return strings.HasPrefix(l, indent) || l == "" && r.below(indent) })
	inner := &markdown{page: r.page, lines: strings.Split(unindented(body, len(mark)), "\n"), insert: r.insert}
	shown := strings.TrimSpace(mark)
	if shown == "-" {
		shown = ""
	}
	r.page.Bullet(shown, strings.Join(inner.taken(isText), " "))
	if inner.at == len(inner.lines) {
		return
	}
	r.page.Indent(4)
	for inner.at < len(inner.lines) {
		inner.block()
	}
	r.page.Outdent()
}

// below reports whether the line behind the current one is indented so.
func (r *markdown) below(indent string) bool {
	return r.at+1 < len(r.lines) && strings.HasPrefix(r.lines[r.at+1], indent)
}

// table writes a table as items: the first cell of a row is the tag, and further cells have their
// heads before them. Terminals are too narrow for cells that have sentences.
func (r *markdown) table(rows []string) {
	var heads []string
	for i, row := range rows {
		cells := cellsOf(row)
		switch {
		case i == 0:
			heads = cells
			continue
		case i == 1 || len(cells) == 0: // the line below the heads
			continue
		}
		var told []string
		for n := 1; n < len(cells); n++ {
			switch {
			case cells[n] == "":
			case len(heads) == 2:
				told = append(told, cells[n])
			default:
				told = append(told, heads[min(n, len(heads)-1)]+": "+cells[n])
			}
		}
		r.page.Item(inline(cells[0]), strings.Join(told, "; "))
	}
}

// cellsOf returns the cells of a row. A bar in a cell is written with a backslash.
func cellsOf(row string) []string {
	const bar = "\x00"
	row = strings.ReplaceAll(strings.Trim(strings.TrimSpace(row), "|"), `\|`, bar)
	cells := strings.Split(row, "|")
	for i := range cells {
		cells[i] = strings.TrimSpace(strings.ReplaceAll(cells[i], bar, "|"))
	}
	return cells
}

// unindented returns lines without so many columns at their beginning.
func unindented(lines []string, columns int) string {
	shorter := make([]string, len(lines))
	for i, line := range lines {
		shorter[i] = line[min(columns, len(line)):]
	}
	return strings.Join(shorter, "\n")
}
