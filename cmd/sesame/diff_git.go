package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"sesame/scripting/source"
)

// How much of a commit is read.
const (
	maxGitFiles = 1000
	maxGitBytes = 64 << 20 // in one answer
)

// A gitScripts is a directory of scripts, or one script, in a commit of a checkout.
type gitScripts struct {
	top    string // of the checkout, absolute
	commit string // its full hash
	dir    string // of the scripts below top, with slashes; "." for top
	single string // the one script; "": all of dir
}

// git runs git in a directory, without a shell. What the checkout could make it run is turned off,
// and it fetches nothing. An answer that is too long is an error.
func git(ctx context.Context, dir string, stdin io.Reader, args ...string) ([]byte, error) {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	fixed := []string{"--no-optional-locks", "-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null", "-C", dir}
	c := exec.CommandContext(ctx, "git", append(fixed, args...)...)
	c.Env = append(withoutCheckout(os.Environ()), "GIT_NO_LAZY_FETCH=1", "GIT_TERMINAL_PROMPT=0", "GIT_LITERAL_PATHSPECS=1", "LC_ALL=C")
	c.Stdin = stdin
	var complaint bytes.Buffer
	c.Stderr = &complaint
	answer, err := c.StdoutPipe()
	if err == nil {
		err = c.Start()
	}
	if errors.Is(err, exec.ErrNotFound) {
		return nil, errors.New("git is not installed")
	}
	if err != nil {
		return nil, fmt.Errorf("git %s: %w", args[0], err)
	}
	out, err := io.ReadAll(io.LimitReader(answer, maxGitBytes+1))
	if len(out) > maxGitBytes {
		stop()
		_ = c.Wait() // it was stopped
		return nil, fmt.Errorf("git %s: its answer has more than %d MiB", args[0], maxGitBytes>>20)
	}
	err = errors.Join(err, c.Wait())
	if err != nil && complaint.Len() > 0 {
		line, _, _ := strings.Cut(strings.TrimSpace(complaint.String()), "\n")
		return nil, fmt.Errorf("git %s: %s", args[0], line)
	}
	if err != nil {
		return nil, fmt.Errorf("git %s: %w", args[0], err)
	}
	return out, nil
}

// withoutCheckout takes away the variables that name a checkout. Git sets them for hooks, and they
// would count more than the directory that is asked for.
func withoutCheckout(environment []string) []string {
	return slices.DeleteFunc(environment, func(one string) bool {
		name, _, _ := strings.Cut(one, "=")
		return slices.Contains([]string{"GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX", "GIT_COMMON_DIR", "GIT_OBJECT_DIRECTORY",
			"GIT_ALTERNATE_OBJECT_DIRECTORIES", "GIT_IMPLICIT_WORK_TREE", "GIT_GRAFT_FILE", "GIT_SHALLOW_FILE", "GIT_NAMESPACE"}, name)
	})
}

// gitOf finds scripts in a commit. Path is below the top of the checkout that has the directory at;
// one that begins with ./ or ../ is below at, as for git.
func gitOf(ctx context.Context, at, rev, name string) (*gitScripts, error) {
	if strings.HasPrefix(rev, "-") || rev == "" {
		return nil, fmt.Errorf("%q is no revision of git", rev)
	}
	out, err := git(ctx, at, nil, "rev-parse", "--show-toplevel", "--show-prefix")
	if err != nil {
		return nil, err
	}
	top, prefix, _ := strings.Cut(string(out), "\n")
	if strings.HasPrefix(name, "./") || strings.HasPrefix(name, "../") || name == "." || name == ".." {
		name = path.Join(strings.TrimSuffix(prefix, "\n"), name)
	}
	if name = path.Clean("/" + name)[1:]; name == "" {
		name = "."
	}
	out, err = git(ctx, at, nil, "rev-parse", "--verify", "--quiet", "--end-of-options", rev+"^{commit}")
	if err != nil {
		return nil, fmt.Errorf("git knows no revision %q in %s", rev, top)
	}
	g := &gitScripts{top: top, commit: strings.TrimSpace(string(out)), dir: name}
	kind, err := git(ctx, top, nil, "cat-file", "-t", g.object(name))
	switch {
	case err != nil:
		return nil, fmt.Errorf("%s has no %s: expected a directory of scripts, or one script", rev, name)
	case string(kind) == "blob\n":
		g.dir, g.single = path.Split(name)
		g.dir = path.Clean(g.dir)
	}
	return g, nil
}

// object names a file or directory of the commit.
func (g *gitScripts) object(name string) string {
	if name == "." {
		name = ""
	}
	return g.commit + ":" + name
}

// files reads the scripts, the modules and the tests of the commit. They are as if they lay in
// base. What they refer to below the checkout is read from the commit, if it is there.
func (g *gitScripts) files(ctx context.Context, base string) (*source.Files, error) {
	out, err := git(ctx, g.top, nil, "ls-tree", "-r", "-z", "--name-only", g.object(g.dir))
	if err != nil {
		return nil, err
	}
	var names []string
	for name := range strings.SplitSeq(strings.TrimSuffix(string(out), "\x00"), "\x00") {
		if isScript(name) {
			names = append(names, name)
		}
	}
	if len(names) > maxGitFiles {
		return nil, fmt.Errorf("%s of git holds more than %d scripts", g.dir, maxGitFiles)
	}
	stored, err := g.read(ctx, names)
	if err != nil {
		return nil, err
	}
	files := source.Of(g.name(), g.single, stored)
	files.Base = base
	files.MachineZones()
	here := filepath.Join(g.top, g.dir)
	files.ReadReferenced = func(file string) ([]byte, error) {
		if below, err := filepath.Rel(base, file); err == nil && filepath.IsLocal(below) {
			file = filepath.Join(here, below)
		}
		if name, err := filepath.Rel(g.top, file); err == nil && filepath.IsLocal(name) {
			if text, err := git(ctx, g.top, nil, "cat-file", "blob", g.object(filepath.ToSlash(name))); err == nil {
				return text, nil
			}
		}
		return source.ReadReferenced(file)
	}
	return files, nil
}

// name names the scripts for people.
func (g *gitScripts) name() string {
	return g.commit[:12] + ":" + path.Join(g.dir, g.single)
}

// isScript reports whether a name below the directory of scripts is one that Sesame reads.
func isScript(name string) bool {
	module := strings.HasPrefix(name, "lib/")
	return strings.HasSuffix(name, ".lua") && !strings.HasPrefix(path.Base(name), ".") && !strings.Contains(name, "\n") && (module || !strings.Contains(name, "/"))
}

// read reads files of the commit. Links in the commit are followed, if they stay in it.
func (g *gitScripts) read(ctx context.Context, names []string) ([]source.File, error) {
	var ask strings.Builder
	for _, name := range names {
		ask.WriteString(g.object(path.Join(g.dir, name)) + "\n")
	}
	out, err := git(ctx, g.top, strings.NewReader(ask.String()), "cat-file", "--batch", "--follow-symlinks")
	if err != nil {
		return nil, err
	}
	r := bufio.NewReader(bytes.NewReader(out))
	var files []source.File
	for _, name := range names {
		text, err := nextBlob(r)
		if err != nil {
			return nil, fmt.Errorf("git cat-file: %s: %w", name, err)
		}
		if text != nil {
			files = append(files, source.File{Path: name, Source: text})
		}
	}
	return files, nil
}

// nextBlob reads the answer of git cat-file about one object; nil: it is no file, such as a link
// that leads nowhere.
func nextBlob(r *bufio.Reader) ([]byte, error) {
	head, err := r.ReadString('\n')
	if err != nil {
		return nil, fmt.Errorf("reading its answer: %w", err)
	}
	words := strings.Fields(head)
	last := append([]string{""}, words...)[len(words)]
	if last == "missing" || last == "ambiguous" {
		return nil, nil
	}
	size, err := strconv.Atoi(last)
	if err != nil || size < 0 || size > maxGitBytes {
		return nil, fmt.Errorf("unexpected answer %q", strings.TrimSpace(head))
	}
	text := make([]byte, size+1) // with a newline behind it
	if _, err := io.ReadFull(r, text); err != nil {
		return nil, fmt.Errorf("reading its answer: %w", err)
	}
	if len(words) != 3 || words[1] != "blob" {
		return nil, nil
	}
	return text[:size], nil
}
