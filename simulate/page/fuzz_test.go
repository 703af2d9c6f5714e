package page_test

import (
	"encoding/json"
	"strings"
	"testing"

	"sesame/simulate/page"
)

// Whatever a text is, it ends no element, and the data stays JSON.
func FuzzTexts(f *testing.F) {
	for _, text := range hostile {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		d := &page.Data{
			Command: "simulate", Title: text, Begin: noon, End: at(1000), Captures: []string{text}, Notes: []string{text}, Sides: []string{text},
			Attempts: []page.Attempt{{Source: text, Door: text, Begin: noon, End: noon, Text: text, Gave: []string{text}, Marks: []page.Mark{{Time: noon, Text: text}}}},
			Grants:   []page.Grant{{Source: text, Begin: noon, End: noon, What: text, Reason: text}},
			Accounts: []page.Account{{Source: text, Lines: []string{text}, Suggestion: text}},
			Findings: []page.Section{{Title: text, Text: text, Columns: []page.Column{{Name: text}}, Rows: [][]string{{text}}}},
		}
		whole := written(t, d)
		if n := strings.Count(whole, "<script"); n != 2 {
			t.Errorf("%d script elements: expected 2", n)
		}
		if n := strings.Count(whole, "</script"); n != 2 {
			t.Errorf("%d ends of script elements: expected 2", n)
		}
		data := between(whole, `id="data">`, "</script>")[0]
		if !json.Valid([]byte(data)) || strings.ContainsAny(data, "<>&\u2028\u2029") {
			t.Errorf("the data is not what may stand in the page: %q", data)
		}
	})
}
