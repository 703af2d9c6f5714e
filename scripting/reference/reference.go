// Package reference turns the table of what scripts can name into what people read beside the
// documentation: entries in a terminal, and definitions for editors.
package reference

import (
	"slices"
	"strings"

	"sesame/scripting"
)

// separator returns what stands between an object and its member: a dot for fields and for the
// functions of sesame, a colon for methods.
func separator(object string, m scripting.Member) string {
	if object == table || !m.Callable() {
		return "."
	}
	return ":"
}

// An API is all that the scripts of a set and their tests can name.
type API struct {
	Objects []scripting.Object // an object may stand twice, with other members
	Tables  []scripting.Table  // the tables within a test
}

// Whole returns the API of this program.
func Whole() API {
	return API{append(scripting.API(), scripting.TestAPI()...), scripting.TestTables()}
}

// tests is the function whose table has the tables of [API.Tables].
const tests = "sesame.test"

// table is the name of the object that scripts have from their beginning. All other objects are
// given to functions.
const table = "sesame"

// merged returns objects of which each has another name: the members of objects of one name stand
// together, in their order.
func merged(api []scripting.Object) []scripting.Object {
	var objects []scripting.Object
	at := map[string]int{}
	for _, o := range api {
		i, ok := at[o.Name]
		if !ok {
			at[o.Name] = len(objects)
			objects = append(objects, scripting.Object{Name: o.Name, Doc: o.Doc})
			i = len(objects) - 1
		}
		objects[i].Members = append(objects[i].Members, o.Members...)
	}
	return objects
}

// Objects returns all objects of an API, each once.
func Objects(api API) []scripting.Object { return merged(api.Objects) }

// Shared reports whether all objects that functions are given have a member.
func Shared(objects []scripting.Object, m scripting.Member) bool {
	given := []string{"attempt", "knock", "grant", "timer"}
	have := 0
	for _, o := range objects {
		if slices.Contains(given, o.Name) && slices.ContainsFunc(o.Members, func(other scripting.Member) bool {
			return m.Name == other.Name && m.Doc == other.Doc
		}) {
			have++
		}
	}
	return have == len(given)
}

// plain removes the backquotes of Markdown.
func plain(text string) string { return strings.ReplaceAll(text, "`", "") }
