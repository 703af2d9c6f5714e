package main

import (
	"io"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"sesame/daemon/transcript"
	"sesame/simulate"
	"sesame/simulate/page"
)

// htmlFlags are the flags of commands that can write their report as a page to look at.
type htmlFlags struct {
	file      newFile
	collector *page.Collector // of the simulation that runs; nil: no page is wanted
}

func (f *htmlFlags) add(c *cobra.Command) {
	c.Flags().StringVar(&f.file.name, "html", "", "also write a page for a browser into this file: tables, and a timeline with filters")
	c.Flags().BoolVar(&f.file.force, "force", false, "replace the file of --html if it exists")
}

// check checks whether the page can be written, before the work for it begins.
func (f *htmlFlags) check(c *cobra.Command) error {
	switch {
	case !c.Flags().Changed("html") && f.file.force:
		return &usageError{c, "--force is for --html"}
	case !c.Flags().Changed("html"):
		return nil
	case f.file.name == "" || f.file.name == "-":
		return &usageError{c, "--html: name a file for the page, such as report.html"}
	}
	return f.file.free()
}

// wanted reports whether a page is to be written.
func (f *htmlFlags) wanted() bool { return f.file.name != "" }

// apply completes the configuration of a simulation, which has its writer.
func (f *htmlFlags) apply(config *simulate.Config) {
	if !f.wanted() {
		return
	}
	f.collector = page.NewCollector(0)
	config.Writer = simulate.Writers{config.Writer, f.collector}
	config.Account = true
	config.Judged = f.collector.Judge
}

// data returns what a page shows of a report.
func (f *htmlFlags) data(command, title string, report *simulate.Report) *page.Data {
	d := f.collector.Data()
	d.Command, d.Title, d.Notes = command, title, report.Notes()
	for _, err := range report.Incomplete {
		d.Notes = append(d.Notes, "warning: "+err.Error())
	}
	d.AddAccounts(report.Accounts(), 0)
	d.AddOpenTimes(&report.Open, false)
	d.AddOpenTimes(&report.WouldOpen, true)
	return d
}

// save writes the page.
func (f *htmlFlags) save(p *program, d *page.Data) error {
	written, err := f.file.write(func(w io.Writer) error { return page.Write(w, d) })
	if err != nil {
		return err
	}
	p.note("%s: %s for a browser", f.file.name, size(written))
	return nil
}

// pageTitle returns the title of a page about captures.
func pageTitle(captures []string) string {
	if len(captures) == 0 {
		return "Typed knocks"
	}
	names := make([]string, len(captures))
	for i, name := range captures {
		if names[i] = filepath.Base(name); name == "-" {
			names[i] = "Standard input"
		}
	}
	if len(names) > 3 {
		return transcript.Count(len(names), "capture")
	}
	return strings.Join(names, ", ")
}
