package source

import (
	"bytes"
	"crypto/sha256"
	"strings"
	"sync"

	"sesame/scripting/sandbox"
)

// A compiled holds what scripts and modules were compiled to, for all sets that are loaded from the
// same texts: a test loads a set, and a reload mostly changes one file of many. Files that were
// cloned share it.
type compiled struct {
	one sync.Mutex
	// scripts has the latest of each path. Nobody changes them.
	scripts map[string]*Script
}

// script compiles a text, unless it was compiled already under the same name; the budget pays for
// it in any case. Its error holds [*Problem]s; what failed is not kept.
func (c *compiled) script(name string, text []byte, budget *sandbox.Budget) (*Script, error) {
	sum := sha256.Sum256(text)
	c.one.Lock()
	defer c.one.Unlock()
	if known := c.scripts[name]; known != nil && known.SHA256 == sum {
		return known, budget.Compiled(known.Program)
	}
	program, err := budget.Compile(name, text)
	if err != nil {
		return nil, err
	}
	script := &Script{File: File{Path: name, SHA256: sum, Source: text}, Program: program}
	if !program.IsData() {
		script.Lines = strings.Split(strings.TrimPrefix(string(text), "\ufeff"), "\n")
		script.chunk = program.Chunk()
		script.findSites(script.chunk)
		script.findDenials(script.chunk)
	}
	c.scripts[name] = script
	return script, nil
}

// reuse takes what was compiled of the same texts, and puts these texts in the place of their
// copies.
func (c *compiled) reuse(loaded *compiled, texts map[string][]byte) {
	loaded.one.Lock()
	defer loaded.one.Unlock()
	for name, script := range loaded.scripts {
		if text, there := texts[name]; there && bytes.Equal(text, script.Source) {
			c.scripts[name], texts[name] = script, script.Source
		}
	}
}
