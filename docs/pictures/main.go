// Command pictures draws the pictures of README.md, each once for light pages and once for dark
// ones.
//
// knock.svg is a drawing of a door in time. demo.svg shows what a terminal showed: demo.txt is a
// capture of the demo, made as root with
//
//	script -qec docs/demo.sh docs/pictures/demo.txt
//
// The same program and the same capture always give the same bytes, and a test compares them with
// the files that are committed. "make pictures" writes them anew.
package main

import (
	"fmt"
	"os"
	"path/filepath"
)

func main() {
	if err := run("docs/pictures"); err != nil {
		fmt.Fprintln(os.Stderr, "pictures:", err)
		os.Exit(1)
	}
}

// run writes all pictures into dir, which holds the capture of the demo.
func run(dir string) error {
	pictures, err := draw(dir)
	if err != nil {
		return err
	}
	for name, svg := range pictures {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(svg), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// draw returns all pictures by the names of their files.
func draw(dir string) (map[string]string, error) {
	capture, err := os.ReadFile(filepath.Join(dir, "demo.txt"))
	if err != nil {
		return nil, fmt.Errorf("reading the capture of the demo: %w", err)
	}
	lines, err := excerpt(string(capture), "The daemon starts again")
	if err != nil {
		return nil, err
	}
	return map[string]string{
		"knock.svg":      timeline(light),
		"knock-dark.svg": timeline(dark),
		"demo.svg":       terminal(light, "make demo", lines),
		"demo-dark.svg":  terminal(dark, "make demo", lines),
	}, nil
}
