package main

import (
	"errors"
	"fmt"
	"os"
	"regexp"
	"strings"
	"time"
)

// A recipe is one section of README.md.
type recipe struct {
	name     string    // of the capture's file
	simulate []string  // the command that the capture is for, from "simulate" on
	starts   time.Time // stamp of the first packet
	tcpdump  []string  // arguments
	client   string    // shell lines that the knocking side runs
}

// defaultStart is a Monday morning in winter: 11:00 in Madrid.
var defaultStart = time.Date(2026, time.March, 2, 10, 0, 0, 0, time.UTC)

// readRecipes reads the recipes in a README. A recipe is a heading of the second level with the
// name of the capture, an indented "sesame simulate" line, and a block of shell lines. Comments in
// the block may set the start and the arguments of tcpdump.
func readRecipes(path string) ([]recipe, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var recipes []recipe
	for section := range strings.SplitSeq(string(text), "\n## ") {
		name, body, _ := strings.Cut(section, "\n")
		if !strings.Contains(name, ".pcap") {
			continue
		}
		r, err := parseRecipe(name, body)
		if err != nil {
			return nil, fmt.Errorf("%s: %s: %w", path, name, err)
		}
		recipes = append(recipes, r)
	}
	return recipes, nil
}

func parseRecipe(name, body string) (recipe, error) {
	r := recipe{name: name, starts: defaultStart, tcpdump: []string{"-i", "eth0"}}
	for line := range strings.Lines(body) {
		if command, ok := strings.CutPrefix(line, "    sesame "); ok {
			r.simulate = fields(command)
		}
	}
	if len(r.simulate) == 0 || r.simulate[0] != "simulate" {
		return r, fmt.Errorf(`expected an indented line "sesame simulate -s SCRIPT ... pcaps/%s"`, name)
	}
	_, block, _ := strings.Cut(body, "```sh\n")
	client, _, closed := strings.Cut(block, "```")
	if !closed {
		return r, errors.New("expected a block of shell lines that make it")
	}
	r.client = client
	for line := range strings.Lines(r.client) {
		if err := r.setting(line); err != nil {
			return r, err
		}
	}
	return r, nil
}

var word = regexp.MustCompile(`"[^"]*"|\S+`)

// fields splits a command as a shell does that knows no quotes but ", around a whole word.
func fields(command string) []string {
	found := word.FindAllString(command, -1)
	for i, w := range found {
		found[i] = strings.Trim(w, `"`)
	}
	return found
}

func (r *recipe) setting(line string) (err error) {
	if at, ok := strings.CutPrefix(line, "# starts "); ok {
		r.starts, err = time.Parse(time.RFC3339, strings.TrimSpace(at))
	}
	if arguments, ok := strings.CutPrefix(line, "# tcpdump "); ok {
		r.tcpdump = strings.Fields(arguments)
	}
	return err
}
