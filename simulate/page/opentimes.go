package page

import (
	"strconv"
	"time"

	"sesame/daemon/transcript"
	"sesame/simulate/account"
)

// maxRows bounds the rows of a section about open ports.
const maxRows = 500

// AddOpenTimes adds sections with the times for which ports were open, or, when doors only observe,
// would have been open.
func (d *Data) AddOpenTimes(t *account.OpenTimes, observed bool) {
	if t.Grants == 0 {
		return
	}
	were, was := "were", "was"
	if observed {
		were, was = "would have been", "would have been"
	}
	most := "At most " + transcript.Number(t.Most) + " of " + transcript.Count(t.Grants, "grant") + " at once, first at " + stamp(t.MostAt) + "."
	d.Sections = append(d.Sections, sourceTimes(t, "How long ports "+were+" open, and to whom", most))
	if ports := portTimes(t, "How long each port "+was+" open"); len(ports.Rows) > 0 {
		d.Sections = append(d.Sections, ports)
	}
}

func sourceTimes(t *account.OpenTimes, title, text string) Section {
	s := Section{Title: title, Text: text, Left: t.Unlisted, Columns: []Column{
		{Name: "Source"}, {Name: "Port"}, {Name: "Seconds", Number: true}, {Name: "Periods", Number: true}, {Name: "From (UTC)"}, {Name: "Until (UTC)"},
	}}
	for i := range t.Sources {
		one := &t.Sources[i]
		if len(s.Rows) == maxRows {
			s.Left += len(t.Sources) - maxRows
			break
		}
		s.Rows = append(s.Rows, []string{
			transcript.Source(one.Source), one.Port.String(), seconds(one.Open), transcript.Number(one.Periods), stamp(one.First), until(one.Last),
		})
	}
	return s
}

// portTimes has the ports that several sources had. Of the others the sources say the same.
func portTimes(t *account.OpenTimes, title string) Section {
	s := Section{Title: title, Columns: []Column{
		{Name: "Port"}, {Name: "Seconds", Number: true}, {Name: "Periods", Number: true}, {Name: "Sources", Number: true}, {Name: "At once", Number: true}, {Name: "First so many at (UTC)"},
	}}
	for i := range t.Ports {
		p := &t.Ports[i]
		switch {
		case p.Sources < 2:
		case len(s.Rows) == maxRows:
			s.Left++
		default:
			s.Rows = append(s.Rows, []string{
				p.Port.String(), seconds(p.Open), transcript.Number(p.Periods), transcript.Number(p.Sources), transcript.Number(p.Most), stamp(p.MostAt),
			})
		}
	}
	return s
}

// until returns when a port was closed. Without a time, it was open at the end of what is known.
func until(at time.Time) string {
	if at.IsZero() {
		return "still open"
	}
	return stamp(at)
}

// seconds returns a duration in seconds, to the millisecond.
func seconds(d time.Duration) string { return strconv.FormatFloat(d.Seconds(), 'f', 3, 64) }

func stamp(at time.Time) string {
	return at.UTC().Format("2006-01-02 15:04:05.000")
}
