package main

import (
	"context"
	"fmt"
	"slices"

	"sesame/daemon/transcript"
	"sesame/simulate/page"
	"sesame/simulate/perturb"
)

// pageRows bounds the rows of a table on a page.
const pageRows = 1000

// savePage writes a page: the timeline of the first run in which a door opened less often, and
// tables of all runs.
func (o *perturbOutput) savePage(ctx context.Context, r *perturb.Report, captures []string, m perturb.Machine) error {
	seed, collector := r.FirstShort(), page.NewCollector(0)
	single, err := o.plan.Show(ctx, seed, m, perturb.View{Writer: collector, Judged: collector.Judge})
	if err != nil {
		return err
	}
	d := collector.Data()
	d.Command, d.Title = "perturb", pageTitle(captures)
	d.Of = shownRun(r, seed)
	d.Totals = []page.Total{{Name: "runs", Value: r.Runs}, {Name: "watched packets", Value: r.Packets}}
	d.AddAccounts(slices.Values(single.Accounts), 0)
	d.Findings = append(d.Findings, o.doorsSection(r), reasonsSection(r))
	if len(r.Only) > 0 {
		d.Findings = append(d.Findings, findingsSection(r))
	}
	d.Sections = append(d.Sections, faultsSection(seed, single))
	d.Notes = append(d.Notes,
		fmt.Sprintf("The run with the seed %d is made again by: %s", seed, o.again(seed)),
		fmt.Sprintf("There were %s of %s that a door watches: %s.", transcript.Count(r.Runs, "run"), transcript.Count(r.Packets, "packet"), seeds(r)))
	return o.flags.html.save(o.program, d)
}

// shownRun says which run the timeline shows.
func shownRun(r *perturb.Report, seed uint64) string {
	text := fmt.Sprintf("The run with the seed %d", seed)
	for _, d := range r.Doors {
		if d.Chances.Of < d.Chances.All && d.First == seed {
			return text + ", the first in which a door opened less often"
		}
	}
	return text
}

// table returns a section with at most so many rows as a page has.
func table(title, text string, columns []page.Column, rows [][]string) page.Section {
	shown := rows[:min(len(rows), pageRows)]
	return page.Section{Title: title, Text: text, Columns: columns, Rows: shown, Left: len(rows) - len(shown)}
}

func (o *perturbOutput) doorsSection(r *perturb.Report) page.Section {
	var rows [][]string
	for _, d := range r.Doors {
		for _, s := range d.Sources {
			rows = append(rows, []string{d.Name, s.Address, s.Chances.String()})
		}
	}
	text := "Of the openings that there are without faults, in all runs; with the interval of 95 %."
	if len(rows) == 0 {
		text = o.nothing()
	}
	return table("How often doors opened", text, []page.Column{{Name: "Door"}, {Name: "Source"}, {Name: "Opened"}}, rows)
}

func reasonsSection(r *perturb.Report) page.Section {
	var rows [][]string
	for _, d := range r.Doors {
		for _, one := range d.Reasons {
			rows = append(rows, []string{d.Name, fmt.Sprint(one.Count), one.String(), fmt.Sprint(one.First), one.Text})
		}
	}
	columns := []page.Column{{Name: "Door"}, {Name: "Times", Number: true}, {Name: "Reason"}, {Name: "First seed", Number: true}, {Name: "In that run"}}
	return table("Why they did not", "", columns, rows)
}

func findingsSection(r *perturb.Report) page.Section {
	var rows [][]string
	for _, f := range r.Only {
		rows = append(rows, []string{f.Door, f.Source, f.Runs.String(), fmt.Sprint(f.First)})
	}
	columns := []page.Column{{Name: "Door"}, {Name: "Source"}, {Name: "Runs"}, {Name: "First seed", Number: true}}
	return table("What opens with faults alone", "", columns, rows)
}

func faultsSection(seed uint64, single *perturb.Single) page.Section {
	var rows [][]string
	for _, f := range single.Fates {
		rows = append(rows, []string{fmt.Sprint(f.Packet), f.Source, f.Port, f.Words})
	}
	columns := []page.Column{{Name: "Packet", Number: true}, {Name: "Source"}, {Name: "Port"}, {Name: "What happened"}}
	s := table(fmt.Sprintf("Faults of the run with the seed %d", seed), "", columns, rows)
	s.Left = single.More
	return s
}
