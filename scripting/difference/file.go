package difference

import (
	"fmt"
	"slices"
	"strings"

	"sesame/daemon/engine"
	"sesame/scripting"
	"sesame/scripting/source"
)

// files compares the texts of files by path.
func (c *comparison) files(before, after *scripting.Set) {
	names := func(set *scripting.Set) []source.File {
		files := slices.Clone(set.Files)
		slices.SortFunc(files, func(a, b source.File) int { return strings.Compare(a.Path, b.Path) })
		return files
	}
	pair(names(before), names(after), func(f source.File) string { return f.Path }, c.file)
	pair(before.Engine.Scripts, after.Engine.Scripts, func(s engine.Script) string { return s.Path }, c.owner)
}

// file compares two texts of one path. Something that a script declares tells more of the script
// than its path, but not of functions that it calls.
func (c *comparison) file(was, is *source.File) {
	one := is
	if one == nil {
		one = was
	}
	switch {
	case is == nil && c.moved[one.Path]: // its doors tell where they are now
	case (was == nil || is == nil) && (c.told[one.Path] || one.Zone): // the script that names a zone tells
	case was == nil || is == nil:
		c.presence(File, one.Path, one.Path, was != nil, is != nil)
	case was.SHA256 == is.SHA256, is.OneTime, is.Referenced() && c.told[is.Path]: // its doors tell what changed
	case is.Referenced():
		c.add(is.Path, Change{Kind: File, Name: is.Path, What: Changed})
	default:
		c.script(is.Path)
	}
}

// owner compares the names under which a file keeps its values. Those that were kept under its path
// move to the first name that it gets.
func (c *comparison) owner(was, is *engine.Script) {
	if was != nil && is != nil && was.Owner != is.Owner {
		c.add(is.Path, changed(File, is.Path, "name of the stored values", was.Owner, is.Owner))
	}
}

// script compares the code of two texts of a script or module that differ.
func (c *comparison) script(path string) {
	was, is := codeOf(c.before[""], path), codeOf(c.after[""], path)
	switch told := c.told[path]; {
	case told && was.Functions != is.Functions:
		c.add(path, Change{Kind: File, Name: path, What: "functions"})
	case told:
	case was == is:
		c.add(path, Change{Kind: File, Name: path, What: Comments})
	default:
		c.add(path, Change{Kind: File, Name: path, What: Changed})
	}
}

// codeOf returns the code of a file.
func codeOf(codes []scripting.Code, path string) scripting.Code {
	i := slices.IndexFunc(codes, func(c scripting.Code) bool { return c.Script == path && c.Name == "" })
	if i < 0 {
		return scripting.Code{}
	}
	return codes[i]
}

// valueText returns the value of an option for people.
func valueText(o *scripting.OptionValue) string { return fmt.Sprint(o.Value) }
