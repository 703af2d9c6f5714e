package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"sesame/daemon/config"
	"sesame/scripting"
	"sesame/scripting/source"
)

// running is the value of --old for the scripts that a daemon runs.
const running = "running"

// oldSide loads the old scripts. Recorded means that the packets that a daemon recorded are needed
// too, if there is one.
func (p *program) oldSide(ctx context.Context, c *cobra.Command, f *diffFlags, is *newSide, recorded bool) (*oldSide, error) {
	if f.old == running {
		return p.oldRunning(ctx, c, f, is)
	}
	if f.old == "" {
		was, err := p.oldRunning(ctx, c, f, is)
		if err == nil || errors.Is(err, context.Canceled) {
			return was, err
		}
		if !errors.Is(err, errNoDaemon) {
			p.note("%v", err)
		}
		g, failed := gitOf(ctx, directoryOf(is.files), "HEAD", pathBelow(is.files))
		if failed != nil {
			return nil, fmt.Errorf("which old scripts? No daemon can be asked here, and git has none either (%w): name a directory, or REV:PATH of git, with --old", failed)
		}
		return p.oldGit(ctx, c, f, is, g)
	}
	was, err := p.oldNamed(ctx, c, f, is)
	if err != nil || !recorded {
		return was, err
	}
	// The packets of a daemon are those to compare with; without one only what the scripts say is.
	if ran, err := p.oldRunning(ctx, c, f, is); err == nil {
		ran.set.Close()
		was.recording, was.latest, was.recorder = ran.recording, ran.latest, ran.recorder
	}
	return was, nil
}

// oldNamed loads the old scripts of a path, or of a revision.
func (p *program) oldNamed(ctx context.Context, c *cobra.Command, f *diffFlags, is *newSide) (*oldSide, error) {
	if _, err := os.Stat(f.old); err == nil {
		files, err := source.Read(f.old)
		if err != nil {
			return nil, fmt.Errorf("--old: %w", err)
		}
		asIn(files, is.files.Base)
		return p.oldFiles(c, f, is, files, f.old)
	}
	rev, path, named := strings.Cut(f.old, ":")
	at := "."
	if !named {
		at, path = directoryOf(is.files), pathBelow(is.files)
	}
	g, err := gitOf(ctx, at, rev, path)
	if err != nil {
		return nil, fmt.Errorf("--old %q: there is no such file, and as REV:PATH of git: %w", f.old, err)
	}
	return p.oldGit(ctx, c, f, is, g)
}

func (p *program) oldGit(ctx context.Context, c *cobra.Command, f *diffFlags, is *newSide, g *gitScripts) (*oldSide, error) {
	files, err := g.files(ctx, is.files.Base)
	if err != nil {
		return nil, fmt.Errorf("--old: %w", err)
	}
	return p.oldFiles(c, f, is, files, g.name()+" of git")
}

// oldFiles loads the old scripts of files. They have the options of the new ones, unless others are
// given.
func (p *program) oldFiles(c *cobra.Command, f *diffFlags, is *newSide, files *source.Files, name string) (*oldSide, error) {
	options, err := f.oldOptions(c, is)
	if err != nil {
		return nil, err
	}
	set, err := scripting.Load(files, options)
	if err != nil {
		p.note("the old scripts, %s, do not load:", name)
		return nil, err
	}
	return &oldSide{name: name, set: set}, nil
}

// oldOptions returns the options of the old scripts.
func (f *diffFlags) oldOptions(c *cobra.Command, is *newSide) (scripting.Options, error) {
	settings := is.settings
	settings.Options = maps.Clone(settings.Options)
	if c.Flags().Changed("old-config") {
		read, err := config.Load(f.oldConfig)
		if err != nil {
			return scripting.Options{}, err
		}
		settings.Options = read.Options
	}
	values, err := parseValues(c, f.oldValues)
	if err != nil {
		return scripting.Options{}, err
	}
	if settings.Options == nil {
		settings.Options = values
	}
	maps.Copy(settings.Options, values)
	return scriptOptions(&settings), nil
}

// asIn makes files appear to lie in another directory, so that what they refer to by relative paths
// has the same names as in a set that lies there.
func asIn(files *source.Files, base string) {
	was := files.Base
	if was == base {
		return
	}
	files.Base = base
	files.ReadReferenced = func(path string) ([]byte, error) {
		if below, err := filepath.Rel(base, path); err == nil && filepath.IsLocal(below) {
			path = filepath.Join(was, below)
		}
		return source.ReadReferenced(path)
	}
}

// directoryOf returns the directory that scripts are in, and pathBelow what names them there.
func directoryOf(files *source.Files) string { return files.Dir }

func pathBelow(files *source.Files) string { return "./" + files.Single }
