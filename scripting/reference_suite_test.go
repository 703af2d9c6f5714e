package scripting

import (
	"fmt"
	"strings"
	"testing"

	"sesame/docs/pagetest"
)

const testingPath = "../docs/testing.md"

// TestReferenceOfTests compares docs/testing.md with its template and the tables that tests are
// checked against. Run with -update to write it anew.
func TestReferenceOfTests(t *testing.T) {
	pagetest.Compare(t, testingPath, testingReference(t), *update)
}

func testingReference(t *testing.T) string {
	t.Helper()
	return pagetest.Fill(t, testingPath, map[string]any{
		"members": func() string {
			var b strings.Builder
			for _, object := range TestAPI() {
				for _, m := range object.Members {
					entry(&b, object.Name, m)
				}
			}
			return b.String()
		},
		"tables": func() string {
			var b strings.Builder
			for _, table := range TestTables() {
				b.WriteString(pagetest.Wrap(fmt.Sprintf("**%s**: %s", table.Name, table.Doc), "- ", "  ", 100))
				optionEntries(&b, table.Options)
			}
			return strings.TrimSuffix(b.String(), "\n")
		},
	})
}
