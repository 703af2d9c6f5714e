package engine

// This file gives each script its share of what all scripts have in common: grants, stored values,
// delays, and effects without an answer.
//
// Half of a bound is divided evenly among the scripts of the set, and nobody takes the part of
// another. The other half is for whoever comes first. So a script that is alone may take all, and
// none can fill the whole. After a reload with more scripts a share may be taken already: it
// becomes free as grants, values and delays end. Undos, what a person grants, and what a restart
// brings back, take no heed of shares.

// kept returns how much of a bound is kept for scripts other than owner. used is how much each has.
// An engine that an older version began keeps nothing.
func (e *Engine) kept(owner string, used map[string]int) int {
	scripts := len(e.index.owners)
	if !e.priced || scripts == 0 {
		return 0
	}
	share, sum := e.cfg.Grants/2/scripts, 0
	for other := range e.index.owners {
		if other != owner {
			sum += max(0, share-used[other])
		}
	}
	return sum
}

// leaves reports whether the others keep their shares of a bound when a script takes n more. total
// are taken already. used is called only when half of the bound is taken.
func (e *Engine) leaves(owner string, used func() map[string]int, total, n int) bool {
	free := e.cfg.Grants - total - n
	return free >= e.cfg.Grants/2 || free >= 0 && free >= e.kept(owner, used())
}

// countUse adds n to what an owner has.
func countUse(used map[string]int, owner string, n int) {
	if used[owner] += n; used[owner] == 0 {
		delete(used, owner)
	}
}

// pendingByOwner returns how many effects without an answer the doors of each script have.
func (e *Engine) pendingByOwner() map[string]int { return e.byOwner(e.batches.byDoor) }

func (e *Engine) grantsByOwner() map[string]int { return e.byOwner(e.grants.byDoor) }

func (e *Engine) delaysByOwner() map[string]int { return e.delays }

func (e *Engine) valuesByOwner() map[string]int { return e.store.used }

// byOwner returns what the doors of each script have together, of what each door has.
func (e *Engine) byOwner(byDoor map[string]int) map[string]int {
	used := map[string]int{}
	for door, n := range byDoor {
		if d := e.index.door(door); d != nil {
			used[d.owner()] += n
		}
	}
	return used
}
