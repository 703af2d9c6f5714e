package condition

import (
	"errors"
	"strings"
	"testing"
	"time"
)

func TestDates(t *testing.T) {
	for _, tt := range []struct{ text, has, hasNot string }{
		{"2026-12-25", "2026-12-25", "2026-12-24 2026-12-26 2027-12-25"},
		{"12-25", "2026-12-25 2027-12-25 1950-12-25", "2026-12-24"},
		{"2026-12-24 to 2027-01-06", "2026-12-24 2026-12-31 2027-01-06", "2026-12-23 2027-01-07 2027-12-25"},
		{"12-24 to 01-06", "2026-12-24 2026-01-06 2027-12-31", "2026-12-23 2026-01-07"},
		{"06-01 to 06-30", "2026-06-01 2026-06-30", "2026-05-31 2026-07-01"},
		{"02-29", "2028-02-29", "2026-02-28 2026-03-01"},
		{"02-28 to 03-01", "2028-02-29 2026-03-01 2026-02-28", "2026-03-02"},
		{"2026-02-01  to  2026-02-01", "2026-02-01", "2026-02-02"},
	} {
		one, err := parseSpan(tt.text)
		if err != nil {
			t.Error(err)
			continue
		}
		d := datesOf([]any{one})
		for want, list := range map[bool]string{true: tt.has, false: tt.hasNot} {
			for date := range strings.FieldsSeq(list) {
				at, err := time.Parse(time.DateOnly, date)
				if err != nil {
					t.Fatal(err)
				}
				if d.has(dayOf(at)) != want {
					t.Errorf("%q has %s: %t", tt.text, date, !want)
				}
			}
		}
	}
}

func TestWhatIsNoDate(t *testing.T) {
	for _, text := range []string{
		"", "to", " to ", "2026-12-25 to", "to 12-25", "2026-1-1", "1-1", "2026-02-29", "02-30", "13-01", "00-01", "0000-01-01", "2026-12-25to2026-12-26",
		"2026-12-26 to 2026-12-25", "12-24 to 2026-12-25", "2026-12-25 to 2026-12-26 to 2026-12-27", "+026-12-25", "12_25", "２026-12-25", "2026-12-25T00:00", "1 -25",
	} {
		if got, err := parseSpan(text); err == nil {
			t.Errorf("%q is %+v: expected an error", text, got)
		}
	}
}

func TestFilesOfDates(t *testing.T) {
	for _, tt := range []struct {
		name, text string
		spans      int
		want       string // the lines of the errors
	}{
		{"dates and comments", "# 2026\n\n 2026-01-01 # new year\r\n12-24 to 01-06", 2, ""},
		{"a mark of the byte order", "\ufeff2026-01-01\n", 1, ""},
		{"a comment alone", "# none this year", 0, ""},
		{"nothing", "", 0, "1"},
		{"blank lines", "\n \n\t\n", 0, "1"},
		{"wrong lines", "2026-01-01\nnever\n\n2026-02-30\n", 0, "2 4"},
		{"bytes", "\x00\xff", 0, "1"},
		{"many wrong lines", strings.Repeat("x\n", 1000), 0, "1 2 3 4 5 6 7 8 9 10"},
	} {
		file, err := readDates("/srv/holidays.txt", []byte(tt.text))
		if lines := wrongLines(err); strings.Join(lines, " ") != tt.want {
			t.Errorf("%s: wrong lines %v, want %s", tt.name, lines, tt.want)
		} else if err == nil && len(file.(*dateFile).spans) != tt.spans {
			t.Errorf("%s: %d spans, want %d", tt.name, len(file.(*dateFile).spans), tt.spans)
		}
	}
}

// wrongLines returns the lines that an error of a file names.
func wrongLines(err error) []string {
	var lines []string
	all := []error{err}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		all = joined.Unwrap()
	}
	for _, one := range all {
		if e, ok := errors.AsType[*FileError](one); ok {
			line, _, _ := strings.Cut(strings.TrimPrefix(e.Error(), "line "), ":")
			lines = append(lines, line)
		}
	}
	return lines
}

// Any bytes give an error with its line, or dates of which each line has its first and last day.
func FuzzDates(f *testing.F) {
	for _, text := range []string{"# holidays\n2026-01-01\n12-24 to 01-06 # each year\n", "2026-12-24 to 2027-01-06", "02-30\n\xff", "\ufeff\r\n"} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		read, err := readDates("/srv/holidays.txt", text)
		if err != nil {
			if len(wrongLines(err)) == 0 {
				t.Fatal("an error without a line:", err)
			}
			return
		}
		file := read.(*dateFile)
		d := datesOf([]any{file})
		for _, s := range file.spans {
			for _, end := range []day{s.first, s.last} {
				if !s.yearly && !d.has(end) || s.yearly && !d.yearly[end] {
					t.Fatalf("%q has no %d", s.text, end)
				}
			}
		}
		for i := 1; i < len(d.spans); i++ {
			if d.spans[i].first <= d.spans[i-1].last+1 {
				t.Fatalf("spans %d and %d touch", i-1, i)
			}
		}
	})
}
