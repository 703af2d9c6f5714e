package scrub

import "regexp"

// oneTimeOption is where a script or a knockd.conf names a file of one-time sequences.
var oneTimeOption = regexp.MustCompile(`(?i)one_time_sequences\s*=\s*"?([^"\s]+)`)

// sequenceFiles returns the files of one-time sequences that a script names.
func sequenceFiles(text string) (names []string) {
	for _, m := range oneTimeOption.FindAllStringSubmatch(text, -1) {
		names = append(names, m[1])
	}
	return names
}
