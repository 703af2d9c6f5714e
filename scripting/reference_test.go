package scripting

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"sesame/docs/pagetest"
)

const referencePath = "../docs/scripts.md"

// TestReference compares docs/scripts.md with its template and the table that scripts are checked
// against. Run with -update to write it anew.
func TestReference(t *testing.T) {
	pagetest.Compare(t, referencePath, reference(t, API()), *update)
}

// reference fills the template of the page: objects are the names of what scripts see, members
// documents one of them, and shared what all objects have that functions are given.
func reference(t *testing.T, api []Object) string {
	t.Helper()
	var names []string
	objects := map[string]Object{}
	for _, object := range api {
		names, objects[object.Name] = append(names, object.Name), object
	}
	shared := func(m Member) bool {
		for _, name := range []string{"attempt", "knock", "grant", "timer"} {
			if !slices.ContainsFunc(objects[name].Members, func(other Member) bool { return m.Name == other.Name && m.Doc == other.Doc }) {
				return false
			}
		}
		return true
	}
	list := func(b *strings.Builder, object Object, want bool) {
		for _, m := range object.Members {
			if shared(m) == want {
				entry(b, object.Name, m)
			}
		}
	}
	return pagetest.Fill(t, referencePath, map[string]any{
		"objects": func() []string { return names },
		"members": func(name string) string {
			var b strings.Builder
			b.WriteString(pagetest.Wrap(objects[name].Doc, "", "", 100) + "\n")
			list(&b, objects[name], false)
			return b.String()
		},
		"shared": func() string {
			var b strings.Builder
			list(&b, objects["attempt"], true)
			return strings.TrimSuffix(b.String(), "\n")
		},
	})
}

func entry(b *strings.Builder, object string, m Member) {
	if !m.Callable() {
		b.WriteString(pagetest.Wrap(fmt.Sprintf("**%s.%s** (%s): %s", object, m.Name, m.Type, m.Doc), "- ", "  ", 100))
		return
	}
	dot := "."
	if object != "sesame" {
		dot = ":"
	}
	space := " "
	if strings.HasPrefix(m.Type, "(") {
		space = ""
	}
	b.WriteString(pagetest.Wrap(fmt.Sprintf("**%s%s%s**%s`%s`: %s", object, dot, m.Name, space, m.Type, m.Doc), "- ", "  ", 100))
	fmt.Fprintf(b, "  `%s`\n", m.Example)
	optionEntries(b, m.Options)
}

func optionEntries(b *strings.Builder, all []Option) {
	for _, o := range all {
		text := fmt.Sprintf("`%s` (%s", o.Name, o.Type)
		if o.Default != "" {
			text += ", " + defaultText(o.Default)
		}
		b.WriteString(pagetest.Wrap(text+"): "+o.Doc, "  - ", "    ", 100))
	}
}

// defaultText describes what holds when an option is left out.
func defaultText(text string) string {
	if text == Required {
		return text
	}
	return "default " + text
}
