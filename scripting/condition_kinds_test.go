package scripting_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestEveryKindOfConditionIsInTheAPI finds functions of package condition that return a Kind and
// that no line of api.go calls: scripts cannot use those.
func TestEveryKindOfConditionIsInTheAPI(t *testing.T) {
	api, err := os.ReadFile("api.go")
	if err != nil {
		t.Fatal(err)
	}
	paths, err := filepath.Glob("condition/*.go")
	if err != nil {
		t.Fatal(err)
	}
	kinds := 0
	for _, path := range paths {
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range file.Decls {
			f, ok := d.(*ast.FuncDecl)
			if !ok || f.Recv != nil || f.Type.Results == nil || !isKind(f.Type.Results.List[0].Type) {
				continue
			}
			kinds++
			if line := "conditionMember(condition." + f.Name.Name + "())"; !strings.Contains(string(api), line) {
				t.Errorf("%s: %s is no part of the API: add %s to api.go", path, f.Name.Name, line)
			}
		}
	}
	if kinds < 3 {
		t.Errorf("found %d kinds of conditions: expected window, networks and any", kinds)
	}
}

func isKind(e ast.Expr) bool {
	name, ok := e.(*ast.Ident)
	return ok && name.Name == "Kind"
}
