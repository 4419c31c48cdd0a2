package testkit_test

import (
	"cmp"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// pkg is what the rules are about: a package without its tests.
type pkg struct {
	path       string // from the module's root
	name       string
	documented bool
	imports    []string // each once, sorted
}

// readHouse reads the import clauses of every package of the module, on every system it is built for: a rule does not
// end where a build constraint begins. Tests are left out: they may look at things from outside.
func readHouse(root string) ([]pkg, error) {
	found := map[string]*pkg{}
	err := filepath.WalkDir(root, func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			return enter(root, file, d)
		}
		if !strings.HasSuffix(file, ".go") || strings.HasSuffix(file, "_test.go") {
			return nil
		}
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly|parser.ParseComments)
		if err != nil {
			return err
		}
		if notBuilt(f) {
			return nil
		}
		dir, err := filepath.Rel(root, filepath.Dir(file))
		if err != nil {
			return err
		}
		dir = filepath.ToSlash(dir)
		p := found[dir]
		if p == nil {
			p = &pkg{path: dir, name: f.Name.Name}
			found[dir] = p
		}
		p.documented = p.documented || documents(f)
		for _, imp := range f.Imports {
			name, err := strconv.Unquote(imp.Path.Value)
			if err != nil {
				return fmt.Errorf("%s: %w", file, err)
			}
			p.imports = append(p.imports, name)
		}
		return nil
	})
	var pkgs []pkg
	for _, p := range found {
		slices.Sort(p.imports)
		p.imports = slices.Compact(p.imports)
		pkgs = append(pkgs, *p)
	}
	slices.SortFunc(pkgs, func(a, b pkg) int { return cmp.Compare(a.path, b.path) })
	return pkgs, err
}

// enter skips what the go tool skips as well, and modules of their own.
func enter(root, dir string, d fs.DirEntry) error {
	if dir == root {
		return nil
	}
	if n := d.Name(); n == "testdata" || n == "node_modules" || n == "vendor" || n[0] == '.' || n[0] == '_' {
		return filepath.SkipDir
	}
	if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
		return filepath.SkipDir
	}
	return nil
}

// notBuilt reports whether a file is there only for the go tool's sake.
func notBuilt(f *ast.File) bool {
	for _, group := range f.Comments {
		for _, c := range group.List {
			if c.Text == "//go:build deps" || c.Text == "//go:build ignore" {
				return c.Pos() < f.Package
			}
		}
	}
	return false
}

func documents(f *ast.File) bool {
	text := f.Doc.Text()
	want := "Package " + f.Name.Name + " "
	if f.Name.Name == "main" {
		want = "Command "
	}
	return strings.HasPrefix(strings.ReplaceAll(text, "\n", " "), want)
}

func moduleRoot(t *testing.T) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		up := filepath.Dir(dir)
		if up == dir {
			t.Fatal("no go.mod above the test's folder")
		}
		dir = up
	}
}

// TestInspect plants one fault at a time: the rules must see it, and nothing else.
func TestInspect(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		from, imp string
		want      string // part of the complaint; "" for none
	}{
		{"media/pre/umbral", "antiphon/media/pre/secp256k1", ""},
		{"internal/jobs", "antiphon/internal/db", ""},
		{"internal/db/dialect", "antiphon/internal/db", ""},
		{"internal/db", "antiphon/migrations", ""},
		{"payments/amount", "antiphon/payments/eip55", ""},
		{"federation/trade", "antiphon/payments/purchase", ""},
		{"federation/trade", "antiphon/media/access", ""},
		{"federation/trade", "antiphon/federation/actor", ""},
		{"api/play", "antiphon/media/ipfs", ""},
		{"api/play", "antiphon/federation/httpsig", ""},
		{"payments/purchase", "antiphon/payments/amount", ""},
		{"media/access", "antiphon/federation/httpsig", ""},
		{"media/probe", "antiphon/media/transcode", ""},
		{"media/access", "antiphon/internal/httpx", ""},
		{"payments", "antiphon/payments/ledger", ""},
		{"federation/inbox", "antiphon/media/access", ""},
		{"api/web", "antiphon/federation/actor", ""},
		{"api/web", "antiphon/templates", ""},
		{"cmd/antiphon", "antiphon/api", ""},
		{"cmd/antiphon", "github.com/gorilla/mux", ""},
		{"vocab", "github.com/go-fed/activity/streams", ""},
		{"media/pre/hpke", "github.com/cloudflare/circl/hpke", ""},
		{"media/ipfs/ipfstest", "testing", ""},
		{"payments/ledger/ledgertest", "antiphon/internal/testkit", ""},
		{"internal/db/dbtest", "antiphon/internal/testkit", ""},
		{"internal/testkit/bench", "antiphon/media/ipfs/ipfstest", ""},
		{"media", "net/http", ""},

		{"vocab", "antiphon/internal/db", "on the ground"},
		{"internal/db", "antiphon/internal/jobs", "on the ground"},
		{"internal/httpx", "antiphon/federation/httpsig", "on the ground"},
		{"migrations", "antiphon/internal/db", "on the ground"},
		{"payments/eip55", "antiphon/payments/amount", "on the ground"},
		{"vocab", "antiphon/migrations", "on the ground"},
		{"media/pre/umbral", "antiphon/media/seal", "on the ground"},
		{"media/ipfs", "antiphon/media", "from layer 1 up to 2"},
		{"media/ipfs", "antiphon/payments/ledger", "never"},
		{"federation/fetch", "antiphon/media/ipfs", "side by side"},
		{"federation/fetch", "antiphon/federation/actor", "from layer 1 up to 3"},
		{"media", "antiphon/payments", "never"},
		{"payments/purchase", "antiphon/media/access", "never"},
		{"payments", "antiphon/federation/outbox", "never"},
		{"payments/purchase", "antiphon/federation/trade", "never"},
		{"federation/trade", "antiphon/api/play", "never"},
		{"media/listen", "antiphon/api/auth", "never"},
		{"federation/inbox", "antiphon/api/auth", "never"},
		{"federation/outbox", "antiphon/templates", "never"},
		{"api", "antiphon/cmd/antiphon", "from layer 3 up to 4"},
		{"api", "antiphon/plugins", "outside the house"},
		{"cmd/antiphon", "antiphon/internal/testkit", "it is for tests"},
		{"payments", "github.com/go-fed/activity/streams", "only vocab, federation"},
		{"media/access", "github.com/cloudflare/circl/group", "only media/pre"},
		{"api/play", "github.com/ipfs/go-cid", "only media/ipfs"},
		{"media", "github.com/gorilla/mux", "only api, federation, cmd"},
		{"payments", "testing", "it is for tests"},
		{"media", "antiphon/media/ipfs/ipfstest", "it is for tests"},
	} {
		got := inspect([]pkg{{path: tc.from, name: "x", documented: true, imports: []string{tc.imp}}})
		if tc.want == "" && len(got) > 0 || tc.want != "" && (len(got) != 1 || !strings.Contains(got[0], tc.want)) {
			t.Errorf("%s imports %s: %q, want %q", tc.from, tc.imp, got, tc.want)
		}
	}
	for _, tc := range []struct {
		planted pkg
		want    string
	}{
		{pkg{path: "media/seal", name: "seal"}, "no package comment"},
		{pkg{path: "api/util", name: "util", documented: true}, "called util"},
		{pkg{path: "api/things", name: "types", documented: true}, "called types"},
		{pkg{path: "plugins", name: "plugins", documented: true}, "outside the house"},
	} {
		if got := inspect([]pkg{tc.planted}); len(got) != 1 || !strings.Contains(got[0], tc.want) {
			t.Errorf("%+v: %q, want %q", tc.planted, got, tc.want)
		}
	}
	var many []pkg
	for i := range maxInternal + 1 {
		many = append(many, pkg{path: fmt.Sprintf("internal/p%d", i), name: "p", documented: true})
	}
	if got := inspect(many); len(got) != 1 {
		t.Errorf("%d packages in internal: %q", len(many), got)
	}
}

// TestReadHouse plants faults in files, to see that the reader finds what the rules are told about.
func TestReadHouse(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	for name, text := range map[string]string{
		"go.mod":                 "module antiphon\n",
		"media/media.go":         "// Package media is here.\npackage media\n\nimport _ \"antiphon/payments\"\n",
		"media/media_windows.go": "//go:build windows\n\npackage media\n\nimport _ \"antiphon/api\"\n",
		"media/media_test.go":    "package media\n\nimport _ \"antiphon/cmd\"\n",
		"media/testdata/x.go":    "package x\n",
		"payments/payments.go":   "// Payments of all sorts.\npackage payments\n",
		"internal/deps.go":       "//go:build deps\n\npackage internal\n\nimport _ \"github.com/ipfs/go-cid\"\n",
		"tools/kubo/go.mod":      "module antiphon/tools/kubo\n",
		"tools/kubo/x.go":        "package x\n",
		"cmd/antiphon/main.go":   "// Command antiphon is here.\npackage main\n",
	} {
		file := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	got, err := readHouse(root)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"cmd/antiphon": "main true []",
		"media":        "media true [antiphon/api antiphon/payments]",
		"payments":     "payments false []",
	}
	have := map[string]string{}
	for _, p := range got {
		have[p.path] = fmt.Sprintf("%s %t %v", p.name, p.documented, p.imports)
	}
	if !maps.Equal(have, want) {
		t.Errorf("read %v, want %v", have, want)
	}
	if broken := inspect(got); len(broken) != 3 {
		t.Errorf("want the two imports and the missing comment: %q", broken)
	}
}
