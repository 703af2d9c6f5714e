// Package executable turns the arguments of a command into the reason why it cannot run on this
// machine, as far as that can be seen without running it.
package executable

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"sesame/daemon/openfile"
)

// Path is the PATH that commands get. A shell looks for programs there.
const Path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// Problem returns why a command cannot run, with the next step, and "" when nothing is known to be
// wrong. argv[0] is the path of a program. It looks at the file, at the interpreter of a script,
// and at the first word of what a shell is given to run. It reads at most 256 bytes of a file. It
// waits for the disk.
func Problem(argv []string) string {
	if len(argv) == 0 {
		return ""
	}
	if problem := file(argv[0]); problem != "" {
		return problem
	}
	if problem := denied(argv[0]); problem != "" {
		return problem
	}
	if len(argv) == 3 && argv[1] == "-c" && slices.Contains(shells, filepath.Base(argv[0])) {
		return firstWord(argv[2])
	}
	return ""
}

var shells = []string{"sh", "bash", "dash"}

// firstWord returns why the first word of a shell's text is no program. What is not a plain word,
// such as an assignment or a substitution, is not looked at.
func firstWord(text string) string {
	switch word := plainWord(text); {
	case word == "":
		return ""
	case filepath.IsAbs(word):
		return file(word)
	case strings.Contains(word, "/"):
		return fmt.Sprintf("%s is a relative path, and commands run in /: write the whole path", word)
	case !inPath(word):
		return fmt.Sprintf("%s is in no directory of the PATH of commands (%s): install it, or write its whole path", word, Path)
	}
	return ""
}

// plainWord returns the first word of a shell's text; "" when it names no program.
func plainWord(text string) string {
	word := strings.TrimLeft(text, " \t\n")
	if i := strings.IndexAny(word, " \t\n;|&<>()"); i >= 0 {
		word = word[:i]
	}
	const plain = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_./+@:,-"
	if strings.Trim(word, plain) != "" || slices.Contains(builtins, word) {
		return ""
	}
	return word
}

// builtins are the words that a POSIX shell, bash or dash runs itself.
var builtins = strings.Fields(`. : [ alias bg break builtin case cd command continue declare do done echo elif else esac eval exec exit
	export false fg fi for function getopts hash help if in jobs kill let local popd printf pushd pwd read readonly return select set
	shift shopt source test then time times trap true type typeset ulimit umask unalias unset until wait while`)

func inPath(name string) bool { return found(name) != nil }

// file returns why a file cannot be run.
func file(path string) string {
	if problem := runnable(path); problem != "" {
		return problem
	}
	head, err := beginning(path)
	if err != nil {
		return "" // it can be run without being read, unless it is a script
	}
	line, isScript := bytes.CutPrefix(head, []byte("#!"))
	switch {
	case isScript:
		return interpreter(path, line)
	case !bytes.Contains(head, []byte{0}): // no binary format has text alone at its beginning
		return fmt.Sprintf("%s is text without an interpreter: its first line must be such as #!/bin/sh", path)
	}
	return ""
}

// found returns the program that the PATH of commands has under a name; nil for none.
func found(name string) []string {
	for _, dir := range filepath.SplitList(Path) {
		path := filepath.Join(dir, name)
		if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0 {
			return []string{path}
		}
	}
	return nil
}

// runnable returns why the kernel would not execute the file at a path.
func runnable(path string) string {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Sprintf("%s does not exist: install it, or correct the path", path)
	case err != nil:
		if failed, ok := errors.AsType[*fs.PathError](err); ok {
			err = failed.Err
		}
		return fmt.Sprintf("%s cannot be looked at: %v", path, err)
	case info.IsDir():
		return fmt.Sprintf("%s is a directory: name the program in it", path)
	case !info.Mode().IsRegular():
		return fmt.Sprintf("%s is not a regular file: name a program", path)
	case info.Mode()&0o111 == 0:
		return fmt.Sprintf("%s is not executable: run chmod +x %s", path, path)
	}
	return ""
}

// headSize is how much of a file the kernel looks at to tell what it is (BINPRM_BUF_SIZE in
// include/uapi/linux/binfmts.h).
const headSize = 256

func beginning(path string) ([]byte, error) {
	f, _, err := openfile.Regular(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	head := make([]byte, headSize)
	n, err := io.ReadFull(f, head)
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		err = nil
	}
	return head[:n], err
}

// interpreter returns why the interpreter of a script cannot run. line is what follows the #!.
func interpreter(path string, line []byte) string {
	line, _, _ = bytes.Cut(line, []byte("\n"))
	if bytes.HasSuffix(line, []byte("\r")) {
		return fmt.Sprintf("the first line of %s ends with a carriage return, which is taken for a part of the interpreter: save it with Unix line ends", path)
	}
	words := strings.Fields(string(line))
	if len(words) == 0 {
		return fmt.Sprintf("%s names no interpreter: its first line must be such as #!/bin/sh", path)
	}
	if filepath.IsAbs(words[0]) {
		if problem := runnable(words[0]); problem != "" {
			return fmt.Sprintf("the interpreter of %s: %s", path, problem)
		}
	}
	if len(words) == 2 && filepath.Base(words[0]) == "env" && !strings.ContainsAny(words[1], "/=") && !strings.HasPrefix(words[1], "-") && !inPath(words[1]) {
		return fmt.Sprintf("the interpreter of %s: %s is in no directory of the PATH of commands (%s)", path, words[1], Path)
	}
	return ""
}
