package source

import (
	"errors"
	"maps"
	"slices"
)

// A Stored is a file of a set as it was read, to be handed to another process. Path and Source are
// those of a [File].
type Stored struct {
	Path   string
	Source []byte
	// Failed is why it could not be read; "": it could be. Warning is that of a
	// [ReferencedFile].
	Failed, Warning string
}

// Stored returns all files, tests too, in the order of their paths. Nobody changes the texts.
func (f *Files) Stored() []Stored {
	var all []Stored
	for _, name := range slices.Sorted(maps.Keys(f.texts)) {
		all = append(all, Stored{Path: name, Source: f.texts[name], Failed: textOf(f.failed[name])})
	}
	for _, path := range f.Referenced() {
		file := f.referenced[path]
		all = append(all, Stored{Path: path, Source: file.Source, Failed: textOf(file.err), Warning: file.Warning})
	}
	return all
}

func textOf(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// Restored returns the files that [Files.Stored] returned, with the hash that they had. Where
// scripts name other referenced files, they are read as after [Of].
func Restored(dir, single, base string, stored []Stored) *Files {
	f := newFiles(dir, single)
	f.Base = base
	for _, s := range stored {
		var err error
		if s.Failed != "" {
			err = errors.New(s.Failed)
		}
		if !(File{Path: s.Path}).Referenced() {
			if f.texts[s.Path] = s.Source; err != nil {
				f.failed[s.Path] = err
			}
			continue
		}
		file := newReferenced(s.Path, s.Source, err)
		file.Warning = s.Warning
		f.referenced[s.Path] = file
	}
	f.hash()
	return f
}
