package knockd

import (
	"fmt"
	"strconv"
)

// renamed returns the warning about a door that does not have the name of its section.
func renamed(d *draft, name string) string {
	if name == plainName(d.Name) || plainName(d.Name) != d.Name {
		return fmt.Sprintf("the name of the section is %s, and the door is %s here, since a name is plain text", shown(d.Name), shown(name))
	}
	return fmt.Sprintf("an earlier section is called %s too, which are two doors to knockd: this one is %s here", shown(d.Name), shown(name))
}

// A namer gives each door a unique name. knockd allows sections of the same name, and its log
// cannot distinguish them.
type namer struct {
	taken map[string]bool // names of sections: no number makes another door's name equal to one
	given map[string]bool // names of doors so far
	next  map[string]int  // the number that was last put behind a name, so that none is tried twice
}

func newNamer(doors []*draft) *namer {
	n := &namer{map[string]bool{}, map[string]bool{}, map[string]int{}}
	for _, d := range doors {
		n.taken[d.Name] = true
	}
	return n
}

// assign returns the name itself for the first door that has it, when it is plain text. All others
// get a number behind it, such that no section and no door has the result.
func (n *namer) assign(name string) string {
	wanted := plainName(name)
	if !n.given[wanted] && (wanted == name || !n.taken[wanted]) {
		n.given[wanted] = true
		return wanted
	}
	for number := max(n.next[wanted], 1) + 1; ; number++ {
		end := "-" + strconv.Itoa(number)
		candidate := cut(wanted, maxName-len(end)) + end
		if !n.taken[candidate] && !n.given[candidate] {
			n.given[candidate], n.next[wanted] = true, number
			return candidate
		}
	}
}
