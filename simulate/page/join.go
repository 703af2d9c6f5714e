package page

import "slices"

// Join adds the attempts, grants and accounts of another side, or of another part of a report.
func (d *Data) Join(other *Data) {
	if d.Begin.IsZero() || !other.Begin.IsZero() && other.Begin.Before(d.Begin) {
		d.Begin = other.Begin
	}
	if other.End.After(d.End) {
		d.End = other.End
	}
	d.Attempts = append(d.Attempts, other.Attempts...)
	slices.SortStableFunc(d.Attempts, func(a, b Attempt) int { return a.Begin.Compare(b.Begin) })
	d.Grants = append(d.Grants, other.Grants...)
	slices.SortStableFunc(d.Grants, func(a, b Grant) int { return a.Begin.Compare(b.Begin) })
	d.Accounts = append(d.Accounts, other.Accounts...)
	d.Left.Attempts += other.Left.Attempts
	d.Left.Grants += other.Left.Grants
	d.Left.Accounts += other.Left.Accounts
}
