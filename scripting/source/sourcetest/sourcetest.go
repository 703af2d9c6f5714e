// Package sourcetest turns texts into the files of a script set, for tests that
// need no disk.
package sourcetest

import (
	"io/fs"
	"path/filepath"

	"sesame/scripting/source"
)

// Files returns scripts and modules by their path below /srv/scripts, and
// referenced files by their absolute path. Other referenced files do not exist.
func Files(texts map[string]string) *source.Files {
	var stored []source.File
	for path, text := range texts {
		if !filepath.IsAbs(path) {
			stored = append(stored, source.File{Path: path, Source: []byte(text)})
		}
	}
	files := source.Of("scripts", "", stored)
	files.Base = "/srv/scripts"
	files.ReadReferenced = func(path string) ([]byte, error) {
		if text, found := texts[path]; found {
			return []byte(text), nil
		}
		return nil, fs.ErrNotExist
	}
	return files
}
