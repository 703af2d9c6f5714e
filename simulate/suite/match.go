package suite

// A matching joins what is wanted with what came.
type matching struct {
	wanted  []wanted
	count   []int    // how many there are of each
	classes []*class // in the order of the first of each
	work    int      // comparisons and tries so far
}

// maxMatching bounds the work of one matching. A file of tests may come from anybody, and no step
// that a person writes comes near.
const maxMatching = 50_000_000

// tooMuch reports whether the matching was given up. It then says nothing.
func (m *matching) tooMuch() bool { return m.work > maxMatching }

// A class has the happenings that the same entries match. So the work does not grow with the square
// of their number.
type class struct {
	matches []int // entries of wanted
	came    []happening
	joined  map[int]int // how many are joined with an entry
}

// match finds a matching that joins as many as can be: two entries may match the same happening,
// and then the one that nothing else suits must have it. It is the algorithm of augmenting paths
// (Kuhn 1955), with a happening more in each round.
func match(want []wanted, came []happening) *matching {
	m := &matching{wanted: want, count: make([]int, len(want))}
	known := map[string]*class{}
	for i := range came {
		if m.work += len(want); m.tooMuch() {
			return m
		}
		signature := make([]byte, len(want))
		for j := range want {
			if want[j].matches(&came[i]) {
				signature[j] = 1
			}
		}
		c := known[string(signature)]
		if c == nil {
			c = &class{joined: map[int]int{}}
			for j, fits := range signature {
				if fits == 1 {
					c.matches = append(c.matches, j)
				}
			}
			known[string(signature)] = c
			m.classes = append(m.classes, c)
		}
		c.came = append(c.came, came[i])
	}
	for _, c := range m.classes {
		for range c.came {
			if !m.join(c, make([]bool, len(want))) {
				break
			}
		}
	}
	return m
}

// join finds an entry for one more happening of a class, and moves others when that makes room.
// Tried are entries for which no room can be made.
func (m *matching) join(c *class, tried []bool) bool {
	for _, j := range c.matches {
		if tried[j] {
			continue
		}
		tried[j] = true
		if m.count[j] < m.wanted[j].times {
			m.count[j]++
			c.joined[j]++
			return true
		}
		if m.work += len(m.classes); m.tooMuch() {
			return false
		}
		for _, other := range m.classes {
			if other.joined[j] > 0 && m.join(other, tried) {
				other.joined[j]--
				c.joined[j]++
				return true
			}
		}
	}
	return false
}

// missing returns the entries that are not joined as often as they are wanted.
func (m *matching) missing() (all []int) {
	for j := range m.wanted {
		if m.count[j] < m.wanted[j].times {
			all = append(all, j)
		}
	}
	return all
}

// extra returns the happenings that are joined with nothing: of several alike, the latest.
func (m *matching) extra() (all []happening) {
	for _, c := range m.classes {
		n := 0
		for _, joined := range c.joined {
			n += joined
		}
		all = append(all, c.came[n:]...)
	}
	return all
}
