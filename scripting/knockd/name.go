package knockd

import (
	"fmt"
	"strconv"
)

func renamed(d *draft, name string) string {
	if name == plainName(d.Name) || plainName(d.Name) != d.Name {
		return fmt.Sprintf("the name of the section is %s, and the door is %s here, since a name is plain text", shown(d.Name), shown(name))
	}
	return fmt.Sprintf("an earlier section is called %s too, which are two doors to knockd: this one is %s here", shown(d.Name), shown(name))
}

// A namer gives each door a name of its own.
type namer struct {
	taken map[string]bool // or wanted by a section, unchanged
	given map[string]bool
	next  map[string]int // the number that a name was given last
}

func newNamer(doors []*draft) *namer {
	n := &namer{map[string]bool{}, map[string]bool{}, map[string]int{}}
	for _, d := range doors {
		n.taken[d.Name] = true
	}
	return n
}

// give returns the name itself for the first door that has it, when it is plain
// text. All others get a number behind it that no section has.
func (n *namer) give(name string) string {
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
