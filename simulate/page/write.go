package page

import (
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"io"
	"slices"
	"strings"
	"time"

	"sesame/daemon/transcript"
)

//go:embed assets
var assets embed.FS

// The files of the page, in the order in which they are joined: each may use those before it.
var (
	styles  = []string{"base.css", "layout.css", "timeline.css", "table.css"}
	scripts = []string{
		"data.js", "time.js", "element.js", "state.js", "draw.js", "marks.js", "overview.js",
		"pointer.js", "keyboard.js", "detail.js", "table.js", "main.js",
	}
)

// Write writes the page. The same data gives the same bytes. It returns the error of w.
func Write(w io.Writer, d *Data) error {
	v, err := d.view()
	if err != nil {
		return err
	}
	page, err := template.ParseFS(assets, "assets/page.html.tmpl")
	if err != nil {
		return fmt.Errorf("reading the template of the page: %w", err)
	}
	if err := page.Execute(w, v); err != nil {
		return fmt.Errorf("writing the page: %w", err)
	}
	return nil
}

// A view is what the template shows. Its texts are escaped by the template; those of other types
// are our own, or escaped already.
type view struct {
	Command, Title, Period, Left, Of string
	Captures, Notes                  []string
	Totals                           []shownTotal
	Findings, Sections               []shownSection
	Policy                           string
	Style                            template.CSS
	Script                           template.JS
	Data                             template.JS
}

type shownTotal struct{ Name, Value string }

type shownSection struct {
	Section
	More string
}

func (d *Data) view() (*view, error) {
	style, err := joined(styles)
	if err != nil {
		return nil, err
	}
	script, err := joined(scripts)
	if err != nil {
		return nil, err
	}
	data, err := encode(d)
	if err != nil {
		return nil, err
	}
	v := &view{
		Command: d.Command, Title: transcript.Safe(d.Title), Period: d.period(), Left: d.Left.text(), Of: transcript.Safe(d.Of),
		Captures: safe(d.Captures), Notes: safe(d.Notes), Policy: policy(style, script),
		Style: template.CSS(style), Script: template.JS(script), Data: template.JS(data),
	}
	for _, t := range d.Totals {
		v.Totals = append(v.Totals, shownTotal{t.Name, transcript.Number(t.Value)})
	}
	for _, s := range d.Findings {
		v.Findings = append(v.Findings, s.shown())
	}
	for _, s := range d.Sections {
		v.Sections = append(v.Sections, s.shown())
	}
	return v, nil
}

// policy returns a content security policy that allows our own style and script, and nothing else:
// no other script, and no connection to anywhere.
func policy(style, script string) string {
	return fmt.Sprintf("default-src 'none'; style-src %s; script-src %s; base-uri 'none'; form-action 'none'", hash(style), hash(script))
}

func hash(text string) string {
	sum := sha256.Sum256([]byte(text))
	return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}

// joined returns files of the page as one text. A comment before each names it.
func joined(names []string) (string, error) {
	var all strings.Builder
	for _, name := range names {
		text, err := assets.ReadFile("assets/" + name)
		if err != nil {
			return "", fmt.Errorf("reading a file of the page: %w", err)
		}
		fmt.Fprintf(&all, "\n/* %s */\n", name)
		all.Write(text)
	}
	return all.String(), nil
}

// period says from when to when the report is.
func (d *Data) period() string {
	if d.Begin.IsZero() {
		return "nothing happened"
	}
	begin, end := d.Begin.UTC(), d.End.UTC()
	text := begin.Format("Monday, 2 January 2006, 15:04:05")
	switch {
	case end.Sub(begin).Milliseconds() < 1:
		return text + " UTC"
	case end.YearDay() == begin.YearDay() && end.Year() == begin.Year():
		text += " to " + end.Format("15:04:05")
	default:
		text += " to " + end.Format("Monday, 2 January 2006, 15:04:05")
	}
	return text + " UTC (" + span(end.Sub(begin)) + ")"
}

// span returns a duration for people: in days from two on.
func span(d time.Duration) string {
	const day = 24 * time.Hour
	if d >= 2*day {
		return transcript.Count(int(d.Round(day)/day), "day")
	}
	return transcript.Rounded(d)
}

// text says what is left out, "" when nothing is.
func (l Left) text() string {
	var parts []string
	for _, one := range []struct {
		n          int
		noun, what string
	}{{l.Attempts, "attempt", "that came least far"}, {l.Accounts, "source", "that came least far"}, {l.Grants, "grant", "after the first"}} {
		if one.n > 0 {
			parts = append(parts, transcript.Count(one.n, one.noun)+" "+one.what)
		}
	}
	if len(parts) == 0 {
		return ""
	}
	return fmt.Sprintf("A page shows at most %s of a kind. Left out: %s.", transcript.Number(MaxAttempts), strings.Join(parts, ", "))
}

// shown returns a section whose texts can be shown. A row has a cell for each column.
func (s Section) shown() shownSection {
	one := shownSection{Section: Section{Title: transcript.Safe(s.Title), Text: transcript.Safe(s.Text), Columns: s.Columns}}
	for _, row := range s.Rows {
		row = slices.Grow(safe(row), len(s.Columns))[:len(s.Columns)]
		one.Rows = append(one.Rows, row)
	}
	if s.Left > 0 {
		one.More = "And " + transcript.Count(s.Left, "row") + " more."
	}
	return one
}
