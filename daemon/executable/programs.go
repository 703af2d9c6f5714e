package executable

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Files returns the programs that run when a command runs, as far as its arguments tell: the first
// argument, other arguments and words of a shell's text that are the whole path of an executable
// file or of a script behind an interpreter, the first word of such a text and the one behind exec,
// and the interpreters of all these. For a program in the PATH of commands there are also its paths
// in the earlier directories, where somebody could put another one. What a program reads by itself
// is not known, such as the rules of nft -f.
func Files(argv []string) []string {
	if len(argv) == 0 {
		return nil
	}
	files := withInterpreter(argv[0], interpreterDepth)
	for i, argument := range argv[1:] {
		if i == 1 && argv[1] == "-c" && slices.Contains(shells, filepath.Base(argv[0])) {
			files = append(files, ofShell(argument)...)
		} else if isProgram(argv[i], argument) {
			files = append(files, withInterpreter(argument, interpreterDepth)...)
		}
	}
	return files
}

// ofShell returns the files that a shell's text names.
func ofShell(text string) (files []string) {
	words := strings.FieldsFunc(text, func(c rune) bool { return strings.ContainsRune(" \t\n;|&<>()'\"`$", c) })
	before := "exec"
	for _, word := range words {
		switch {
		case isProgram(before, word):
			files = append(files, withInterpreter(word, interpreterDepth)...)
		case before == "exec" && !strings.Contains(word, "/") && !slices.Contains(builtins, word):
			files = append(files, inEarlier(word)...)
		}
		before = word
	}
	return files
}

// isProgram reports whether a word is the whole path of a regular file that can be executed, or
// that stands behind an interpreter. Other files are data, such as a log.
func isProgram(before, word string) bool {
	if !filepath.IsAbs(word) {
		return false
	}
	info, err := os.Stat(word)
	return err == nil && info.Mode().IsRegular() && (info.Mode()&0o111 != 0 || isInterpreter(before))
}

// isInterpreter reports whether a word runs the script that is named behind it.
func isInterpreter(word string) bool {
	name := strings.TrimRight(filepath.Base(word), "0123456789.")
	return word == "." || slices.Contains(shells, name) ||
		slices.Contains([]string{"source", "ksh", "zsh", "python", "perl", "ruby", "lua", "node", "php"}, name)
}

// inEarlier returns the path of a program in the PATH of commands, with those that would be taken
// before it; none when there is no such program.
func inEarlier(name string) []string {
	at := found(name)
	if at == nil {
		return nil
	}
	var files []string
	for _, dir := range filepath.SplitList(Path) {
		path := filepath.Join(dir, name)
		if path == at[0] {
			break
		}
		files = append(files, path)
	}
	return append(files, withInterpreter(at[0], interpreterDepth)...)
}

// interpreterDepth is how many interpreters the kernel follows from one script (exec_binprm in
// fs/exec.c).
const interpreterDepth = 5

// withInterpreter returns a program, and what its first line names, and so on.
func withInterpreter(program string, depth int) []string {
	files := []string{program}
	if info, err := os.Stat(program); depth == 0 || err != nil || !info.Mode().IsRegular() {
		return files
	}
	head, err := beginning(program)
	line, isScript := bytes.CutPrefix(head, []byte("#!"))
	if err != nil || !isScript {
		return files
	}
	line, _, _ = bytes.Cut(line, []byte("\n"))
	words := strings.Fields(string(line))
	if len(words) > 0 && filepath.IsAbs(words[0]) {
		files = append(files, withInterpreter(words[0], depth-1)...)
	}
	if len(words) == 2 && filepath.Base(words[0]) == "env" {
		files = append(files, inEarlier(words[1])...)
	}
	return files
}
