package reference

import (
	"slices"
	"strings"

	"sesame/daemon/spelling"
	"sesame/scripting"
)

// A named is one thing that has documentation: an object, a member of one, a table within a test,
// or an option of a member or a table.
type named struct {
	path   string // "attempt", "attempt.allow" or "attempt.allow.ttl"
	object scripting.Object
	member *scripting.Member // nil: the object, or a table within a test
	table  *scripting.Table  // within a test
	option *scripting.Option // nil: the member or the table
}

// A Reference finds entries by name.
type Reference struct {
	objects []scripting.Object
	all     []named
}

// New returns the reference of an API.
func New(api API) *Reference {
	r := &Reference{objects: merged(api.Objects)}
	for _, o := range r.objects {
		r.all = append(r.all, named{path: o.Name, object: o})
		for _, m := range o.Members {
			path := o.Name + "." + m.Name
			r.all = append(r.all, named{path: path, object: o, member: &m})
			for _, opt := range m.Options {
				r.all = append(r.all, named{path: path + "." + opt.Name, object: o, member: &m, option: &opt})
			}
		}
	}
	for _, t := range api.Tables {
		path := tests + "." + t.Name
		r.all = append(r.all, named{path: path, table: &t})
		for _, opt := range t.Options {
			r.all = append(r.all, named{path: path + "." + opt.Name, table: &t, option: &opt})
		}
	}
	return r
}

// Find returns the entries that a name means. A name may lack words: ttl, allow.ttl, attempt.ttl
// and attempt:allow.ttl all find the option. A whole name finds nothing else. Entries with the
// same text become one, and those of objects are the first.
func (r *Reference) Find(name string) []Entry {
	path := strings.ReplaceAll(strings.TrimRight(name, "({}) .:"), ":", ".")
	found := r.matching(func(n named) bool { return n.path == path || strings.HasSuffix(n.path, "."+path) })
	if found == nil {
		found = r.matching(func(n named) bool { return leads(strings.Split(path, "."), strings.Split(n.path, ".")) })
	}
	var entries []Entry
	for _, n := range found {
		e := r.entry(n)
		if i := slices.IndexFunc(entries, e.same); i >= 0 {
			entries[i].Names = append(entries[i].Names, e.Names...)
			continue
		}
		entries = append(entries, e)
	}
	return entries
}

// matching returns what a function accepts, objects first.
func (r *Reference) matching(accepts func(named) bool) (found []named) {
	for _, n := range r.all {
		if accepts(n) {
			found = append(found, n)
		}
	}
	slices.SortStableFunc(found, func(a, b named) int {
		return strings.Count(a.path, ".") - strings.Count(b.path, ".")
	})
	return found
}

// leads reports whether a path has all words in their order, and ends with the last of them.
func leads(words, path []string) bool {
	if words[len(words)-1] != path[len(path)-1] {
		return false
	}
	for _, word := range path {
		if len(words) > 0 && word == words[0] {
			words = words[1:]
		}
	}
	return len(words) == 0
}

// Nearest returns the end of a message about an unknown name: the names that were probably meant,
// or "".
func (r *Reference) Nearest(name string) string {
	path := strings.ReplaceAll(name, ":", ".")
	return spelling.DidYouMean(path, r.Names())
}

// Names returns all names that [Reference.Find] knows, sorted: whole ones, and those of members and
// options alone.
func (r *Reference) Names() []string {
	var names []string
	for _, n := range r.all {
		names = append(names, n.path, n.path[strings.LastIndex(n.path, ".")+1:])
	}
	slices.Sort(names)
	return slices.Compact(names)
}
