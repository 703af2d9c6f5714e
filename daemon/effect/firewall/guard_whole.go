package firewall

// Whole is [effect.Firewall.Whole]. The table says so by a counter that only a daemon makes, in
// the transaction that installs its grants. The table that is loaded at boot, or by a person
// without a daemon, has none, and what removes the table removes the counter.
func (g *Guard) Whole() (bool, error) {
	exists, _, err := g.socket.tableState(guardTable)
	if err != nil || !exists {
		return false, err
	}
	counters, err := g.socket.counters(guardTable)
	_, whole := counters[restoredMark]
	return whole, err
}

// wholeChange returns the message that makes the mark, or none.
func (g *Guard) wholeChange(found guardFound) []message {
	if _, made := found.counters[restoredMark]; made || !g.daemon {
		return nil
	}
	return []message{guardTable.addCounter(restoredMark)}
}
