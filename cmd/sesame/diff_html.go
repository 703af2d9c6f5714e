package main

import (
	"strings"

	"sesame/daemon/transcript"
	"sesame/scripting/difference"
	"sesame/simulate"
	"sesame/simulate/compare"
	"sesame/simulate/page"
)

// A diffPage collects both sides of a comparison for a page.
type diffPage [2]*page.Collector

// newDiffPage makes the replays of a comparison collect a page.
func newDiffPage(to *compare.Config) *diffPage {
	d := &diffPage{page.NewCollector(0), page.NewCollector(1)}
	for i, side := range []*compare.Side{&to.Old, &to.New} {
		side.Writer, side.Judged = d[i], d[i].Judge
	}
	return d
}

// data returns the page. What differs is above the timeline, whose lanes are of both sides.
func (p *diffPage) data(d *diffed) *page.Data {
	shown := p.side(0, d.Replays[0])
	shown.Join(p.side(1, d.Replays[1]))
	shown.Command, shown.Sides = "diff", []string{"before", "after"}
	shown.Title = "From " + d.Old + " to " + d.New
	shown.Totals = []page.Total{
		{Name: "opens before", Value: d.Opens.Old}, {Name: "opens now", Value: d.Opens.New},
		{Name: "lost", Value: len(d.Lost)}, {Name: "gained", Value: len(d.Gained)}, {Name: "changed", Value: len(d.Changed)},
	}
	shown.Findings = diffFindings(d.Report)
	shown.Notes = d.Remarks()
	if d.Packets != "" {
		shown.Notes = append(shown.Notes, "the packets are of "+d.Packets)
	}
	return shown
}

// side returns what was collected of a side.
func (p *diffPage) side(i int, report *simulate.Report) *page.Data {
	d := p[i].Data()
	d.Captures = nil // both sides have the same
	if report != nil {
		d.AddAccounts(report.Accounts(), i)
	}
	return d
}

// diffFindings returns tables of what differs, and none of what does not.
func diffFindings(r *compare.Report) []page.Section {
	lost := openingSection("Lost: opened before, and no longer", "Why", "What would open it")
	for _, one := range r.Lost {
		lost.Rows = append(lost.Rows, openingRow(one.Opening, one.Why, strings.TrimSuffix(one.Suggestion, ": opens")))
	}
	gained := openingSection("Gained: open now, and did not before", "Before")
	for _, one := range r.Gained {
		gained.Rows = append(gained.Rows, openingRow(one.Opening, one.Before))
	}
	changed := openingSection("Changed: open as before, and give something else", "What")
	for _, one := range r.Changed {
		changed.Rows = append(changed.Rows, openingRow(one.Opening, strings.Join(one.Differences, "; ")))
	}
	refused := openingSection("Refused for another reason", "Before", "Now")
	for _, one := range r.Refusals {
		o := compare.Opening{Door: one.Door, Source: one.Source, Time: one.Time, Packet: one.Packet, Capture: one.Capture}
		refused.Rows = append(refused.Rows, openingRow(&o, one.Old, one.New))
	}
	said := page.Section{Title: "What the scripts say", Columns: []page.Column{{Name: "Difference"}}}
	for _, line := range difference.Lines(r.Declarations, mostDiffRows) {
		said.Rows = append(said.Rows, []string{line})
	}
	var all []page.Section
	for _, s := range []page.Section{lost, gained, changed, refused, said} {
		if len(s.Rows) > 0 {
			all = append(all, bounded(s))
		}
	}
	if len(all) == 0 {
		all = append(all, page.Section{Title: "Nothing differs", Text: "The packets did the same with both sets, and the scripts say the same."})
	}
	return all
}

// mostDiffRows bounds the rows of each table.
const mostDiffRows = 1000

func bounded(s page.Section) page.Section {
	if more := len(s.Rows) - mostDiffRows; more > 0 {
		s.Rows, s.Left = s.Rows[:mostDiffRows], more
	}
	return s
}

func openingSection(title string, more ...string) page.Section {
	s := page.Section{Title: title, Columns: []page.Column{{Name: "Door"}, {Name: "Source"}, {Name: "Time"}, {Name: "Packet", Number: true}}}
	for _, name := range more {
		s.Columns = append(s.Columns, page.Column{Name: name})
	}
	return s
}

func openingRow(o *compare.Opening, more ...string) []string {
	return append([]string{o.Door, o.Source, transcript.Clock(o.Time), transcript.Number(o.Packet)}, more...)
}
