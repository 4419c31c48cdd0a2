package testkit_test

import (
	"bytes"
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the column of docs/bad-inputs.md that says where the tests are")

// TestBadInputs holds docs/bad-inputs.md and the tests together.
func TestBadInputs(t *testing.T) {
	t.Parallel()
	root := moduleRoot(t)
	tried, err := badInputs(root)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(root, "docs", "bad-inputs.md")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(file, register(text, tried), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	for _, complaint := range compare(text, tried) {
		t.Error(complaint)
	}
}

// badInputs are the ids that tests are called by, each with the packages that it is tried in.
func badInputs(root string) (map[string][]string, error) {
	tried := map[string][]string{}
	err := filepath.WalkDir(root, func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			return enter(root, file, d)
		}
		if !strings.HasSuffix(file, "_test.go") {
			return nil
		}
		text, err := os.ReadFile(file)
		if err != nil || !bytes.Contains(text, []byte("BadInput(")) {
			return err
		}
		ids, err := idsIn(file, text)
		if err != nil {
			return err
		}
		dir, err := filepath.Rel(root, filepath.Dir(file))
		if err != nil {
			return err
		}
		for _, id := range ids {
			if at := filepath.ToSlash(dir); !slices.Contains(tried[id], at) {
				tried[id] = append(tried[id], at)
			}
		}
		return nil
	})
	return tried, err
}

// idsIn are the ids in one file: the second argument of each call of testkit.BadInput, which must be a literal.
func idsIn(name string, text []byte) ([]string, error) {
	f, err := parser.ParseFile(token.NewFileSet(), name, text, parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	var ids []string
	ast.Inspect(f, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok {
			return true
		}
		if fun, ok := call.Fun.(*ast.SelectorExpr); !ok || fun.Sel.Name != "BadInput" || len(call.Args) != 4 {
			return true
		}
		literal, ok := call.Args[1].(*ast.BasicLit)
		if !ok {
			err = fmt.Errorf("%s: the id of a bad input is not a literal", name)
			return false
		}
		id, bad := strconv.Unquote(literal.Value)
		if bad != nil {
			err = fmt.Errorf("%s: %w", name, bad)
		}
		ids = append(ids, id)
		return true
	})
	return ids, err
}

// line is a row of the register: id, what comes in, what must happen, where it is tried.
var line = regexp.MustCompile(`(?m)^\| ([A-Z][0-9]+) \| (.+) \| (.+) \| (.*)\|$`)

// compare returns one line for each row without a test, test without a row, and package in the last column that has no
// test of the row. That another package tries it too is no fault.
func compare(text []byte, tried map[string][]string) []string {
	var complaints []string
	say := func(format string, args ...any) { complaints = append(complaints, fmt.Sprintf(format, args...)) }
	rows := map[string]bool{}
	for _, m := range line.FindAllSubmatch(text, -1) {
		id, held := string(m[1]), strings.TrimSpace(string(m[4]))
		if rows[id] {
			say("%s has two rows", id)
		}
		rows[id] = true
		where := column(tried[id])
		switch {
		case held == "-" && where != "":
			say("%s cannot occur, and is tried in %s", id, where)
		case held == "-" && !bytes.Contains(m[3], []byte("cannot occur")):
			say("%s has no test and does not say why it cannot occur", id)
		case held == "-":
		case where == "":
			say("%s is tried nowhere", id)
		case held == "" || slices.ContainsFunc(strings.Split(held, ", "), func(p string) bool { return !strings.Contains(where, p) }):
			say("%s is tried in %s, and the row says %q: run this test with -update", id, where, held)
		}
	}
	for _, id := range slices.Sorted(maps.Keys(tried)) {
		if !rows[id] {
			say("%s has no row in docs/bad-inputs.md", id)
		}
	}
	if len(rows) == 0 {
		say("docs/bad-inputs.md has no rows")
	}
	return complaints
}

// register is the text with the column of where the tests are.
func register(text []byte, tried map[string][]string) []byte {
	return line.ReplaceAllFunc(text, func(row []byte) []byte {
		m := line.FindSubmatch(row)
		held := column(tried[string(m[1])])
		if held == "" {
			held = strings.TrimSpace(string(m[4]))
		}
		if held != "" {
			held += " "
		}
		return fmt.Appendf(nil, "| %s | %s | %s | %s|", m[1], m[2], m[3], held)
	})
}

// column is how packages are written in the register.
func column(packages []string) string {
	quoted := make([]string, 0, len(packages))
	for _, p := range slices.Sorted(slices.Values(packages)) {
		quoted = append(quoted, "`"+p+"`")
	}
	return strings.Join(quoted, ", ")
}

// TestCompare plants one fault at a time.
func TestCompare(t *testing.T) {
	t.Parallel()
	const head = "| id | a | b | held in |\n| --- | --- | --- | --- |\n"
	for _, tc := range []struct {
		name, rows string
		tried      map[string][]string
		want       string // part of the one complaint; "" for none
	}{
		{"all is well", "| C1 | a | b | `x`, `y` |\n", map[string][]string{"C1": {"y", "x"}}, ""},
		{"one more package", "| C1 | a | b | `x` |\n", map[string][]string{"C1": {"y", "x"}}, ""},
		{"no package yet", "| C1 | a | b | |\n", map[string][]string{"C1": {"y"}}, "-update"},
		{"cannot occur", "| C1 | a | cannot occur: b | - |\n", nil, ""},
		{"no test", "| C1 | a | b | `x` |\n", nil, "tried nowhere"},
		{"other package", "| C1 | a | b | `x` |\n", map[string][]string{"C1": {"y"}}, "-update"},
		{"no reason", "| C1 | a | b | - |\n", nil, "why"},
		{"cannot occur and does", "| C1 | a | cannot occur | - |\n", map[string][]string{"C1": {"x"}}, "is tried in"},
		{"no row", "| A1 | a | cannot occur | - |\n", map[string][]string{"C1": {"x"}}, "no row"},
		{"two rows", "| A1 | a | cannot occur | - |\n| A1 | a | cannot occur | - |\n", nil, "two rows"},
		{"nothing", "", nil, "no rows"},
	} {
		got := compare([]byte(head+tc.rows), tc.tried)
		if tc.want == "" && len(got) > 0 || tc.want != "" && (len(got) != 1 || !strings.Contains(got[0], tc.want)) {
			t.Errorf("%s: %q, want %q", tc.name, got, tc.want)
		}
		if tc.want == "-update" {
			written := register([]byte(head+tc.rows), tc.tried)
			if again := compare(written, tc.tried); len(again) > 0 {
				t.Errorf("after the update: %q", again)
			}
		}
	}
}

func TestIDsIn(t *testing.T) {
	t.Parallel()
	const file = "package x\nfunc f() { testkit.BadInput(t, \"C7\", a, b); testkit.BadInput(t, `C8`, a, b); other(t, \"C9\", a, b) }\n"
	if got, err := idsIn("x.go", []byte(file)); err != nil || !slices.Equal(got, []string{"C7", "C8"}) {
		t.Errorf("%q %v", got, err)
	}
	if _, err := idsIn("x.go", []byte("package x\nfunc f() { testkit.BadInput(t, id, a, b) }\n")); err == nil {
		t.Error("an id that cannot be read is passed over")
	}
}
