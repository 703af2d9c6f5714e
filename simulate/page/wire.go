package page

import (
	"encoding/json"
	"fmt"
	"time"

	"sesame/daemon/transcript"
)

// A wire is the data in the form that the script of the page reads (assets/data.js): rows instead
// of objects, and each text once, since a page may have 65,536 attempts. Times are microseconds
// after the begin.
type wire struct {
	Begin    int64    `json:"begin"` // microseconds since 1970
	Length   int64    `json:"length"`
	Sides    []string `json:"sides,omitempty"`
	Texts    []string `json:"texts"`
	Attempts [][]any  `json:"attempts"`
	Grants   [][]any  `json:"grants"`
	Accounts [][]any  `json:"accounts"`

	begin   time.Time
	numbers map[string]int // of texts
}

// encode returns the data as JSON that may stand in a script element: encoding/json escapes "<",
// ">", "&" and the two line separators that JavaScript once forbade in texts.
func encode(d *Data) ([]byte, error) {
	w := &wire{
		Begin: d.Begin.UnixMicro(), Length: d.End.Sub(d.Begin).Microseconds(), begin: d.Begin,
		Sides: safe(d.Sides), Texts: []string{}, numbers: map[string]int{},
		Attempts: [][]any{}, Grants: [][]any{}, Accounts: [][]any{},
	}
	for i := range d.Attempts {
		w.Attempts = append(w.Attempts, w.attempt(&d.Attempts[i]))
	}
	for i := range d.Grants {
		g := &d.Grants[i]
		w.Grants = append(w.Grants, []any{
			w.text(g.Source), w.text(g.Door), g.Side, w.time(g.Begin), w.time(g.End),
			w.text(g.What), w.text(g.Reason), g.Observed, g.Number,
		})
	}
	for i := range d.Accounts {
		a := &d.Accounts[i]
		w.Accounts = append(w.Accounts, []any{
			w.text(a.Source), w.text(a.Door), a.Side, a.Verdict, a.Best, a.Stages, w.texts(a.Lines), w.text(a.Suggestion),
		})
	}
	text, err := json.Marshal(w)
	if err != nil {
		return nil, fmt.Errorf("encoding the data of the page: %w", err)
	}
	return text, nil
}

// attempt returns a row. Its marks are one list of numbers, five for each.
func (w *wire) attempt(a *Attempt) []any {
	marks := []int64{}
	for _, m := range a.Marks {
		marks = append(marks, int64(m.Kind), w.time(m.Time), int64(m.Packet), int64(m.Capture), int64(w.text(m.Text)))
	}
	return []any{
		w.text(a.Source), w.text(a.Door), a.Side, w.time(a.Begin), w.time(a.End),
		a.Verdict, a.Best, a.Stages, w.text(a.Text), w.texts(a.Gave), marks,
	}
}

func (w *wire) time(t time.Time) int64 { return t.Sub(w.begin).Microseconds() }

// text returns the number of a text.
func (w *wire) text(s string) int {
	n, known := w.numbers[s]
	if !known {
		n = len(w.Texts)
		w.numbers[s] = n
		w.Texts = append(w.Texts, transcript.Safe(s))
	}
	return n
}

func (w *wire) texts(all []string) []int {
	numbers := []int{}
	for _, s := range all {
		numbers = append(numbers, w.text(s))
	}
	return numbers
}

// safe returns texts in which no character can change how a line looks.
func safe(all []string) []string {
	var found []string
	for _, s := range all {
		found = append(found, transcript.Safe(s))
	}
	return found
}
