// Command pcaps makes the captures of this directory again.
//
// README.md is both the documentation and the recipe. For each capture it has a heading, the
// simulate command that replays it, and the shell lines of the client that knocks. This command
// runs those lines and tcpdump, in two network namespaces that it makes for each capture and
// removes again. So it must run as root. The gaps between packets stay as recorded. The time stamps
// are shifted so that the first packet has the time of the recipe, since scripts may read the
// time of day.
//
// Usage, from the root of the repository:
//
//	go run ./pcaps [NAME...]
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, "pcaps", os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "pcaps:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, dir string, names []string) error {
	recipes, err := readRecipes(filepath.Join(dir, "README.md"))
	if err != nil {
		return err
	}
	for _, name := range names {
		if !slices.ContainsFunc(recipes, func(r recipe) bool { return r.name == name }) {
			return fmt.Errorf("no capture is called %q: expected a heading of %s/README.md", name, dir)
		}
	}
	for _, r := range recipes {
		if len(names) > 0 && !slices.Contains(names, r.name) {
			continue
		}
		if err := r.make(ctx, filepath.Join(dir, r.name)); err != nil {
			return fmt.Errorf("making %s: %w", r.name, err)
		}
		fmt.Println(r.name)
	}
	return nil
}

func (r recipe) make(ctx context.Context, path string) error {
	recorded, err := record(ctx, r.tcpdump, r.client)
	if err != nil {
		return err
	}
	c, err := parseCapture(recorded)
	if err != nil {
		return fmt.Errorf("reading what tcpdump wrote: %w", err)
	}
	c.StartAt(r.starts)
	data, err := c.Encode(r.name)
	if err != nil {
		return err
	}
	return os.WriteFile(path, data, 0o644)
}
