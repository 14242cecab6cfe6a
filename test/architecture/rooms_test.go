// Package architecture holds what ARCHITECTURE.md says of the rooms: which
// package may import which, and which do no input or output.
package architecture

import (
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

const (
	root   = "../.."
	module = "github.com/wheelhouse-dev/wheelhouse/"
)

// impure are the packages through which a room would reach the world.
var impure = regexp.MustCompile(`^(os|os/exec|net|net/http|syscall|golang\.org/x/sys/.*|helm\.sh/.*|oras\.land/.*|` +
	`k8s\.io/(client-go|cli-runtime)/.*|sigs\.k8s\.io/controller-runtime/pkg/(client|manager).*)$`)

// Types that are registered with a scheme are data.
const scheme = "k8s.io/client-go/kubernetes/scheme"

// room is a row of the tables.
type room struct {
	pure    bool
	imports []string
}

func TestRoomsImportWhatTheTablesAllow(t *testing.T) {
	rooms, found := documented(t), packages(t)
	for _, path := range slices.Sorted(maps.Keys(found)) {
		r, known := rooms[path]
		if !known {
			t.Errorf("%s has no row in ARCHITECTURE.md", path)
			continue
		}
		for _, imported := range slices.Sorted(maps.Keys(found[path])) {
			other, ours := strings.CutPrefix(imported, module)
			switch {
			case ours && !slices.Contains(r.imports, other):
				t.Errorf("%s imports %s, which its row in ARCHITECTURE.md does not allow", path, other)
			case r.pure && imported != scheme && impure.MatchString(imported):
				t.Errorf("%s imports %s, and ARCHITECTURE.md says that it is pure", path, imported)
			}
		}
	}
}

func TestTheTablesShowWhatIsThere(t *testing.T) {
	rooms, found := documented(t), packages(t)
	for _, path := range slices.Sorted(maps.Keys(rooms)) {
		if found[path] == nil {
			t.Errorf("ARCHITECTURE.md has a row of %s, which is no package", path)
			continue
		}
		for _, other := range rooms[path].imports {
			if !found[path][module+other] {
				t.Errorf("ARCHITECTURE.md says that %s imports %s, and it does not", path, other)
			}
		}
	}
}

var (
	row  = regexp.MustCompile("(?m)^\\| `([^`]+)` \\| (.+) \\| ([^|]+) \\|$")
	path = regexp.MustCompile("`([^`]+)`")
)

// documented reads the tables of ARCHITECTURE.md, by the path of the package.
func documented(t *testing.T) map[string]room {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, "ARCHITECTURE.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, house, _ := strings.Cut(string(text), "\n## The house\n")
	house, _, _ = strings.Cut(house, "\n## ")
	rooms := map[string]room{}
	for _, cells := range row.FindAllStringSubmatch(house, -1) {
		name := inFull(cells[1])
		if _, twice := rooms[name]; twice {
			t.Errorf("ARCHITECTURE.md has two rows of %s", name)
		}
		r := room{pure: strings.Contains(cells[2], "*pure*")}
		for _, imported := range path.FindAllStringSubmatch(cells[3], -1) {
			r.imports = append(r.imports, inFull(imported[1]))
		}
		rooms[name] = r
	}
	if len(rooms) < 50 {
		t.Fatalf("only %d rows were understood; has the form of the tables changed?", len(rooms))
	}
	return rooms
}

// inFull is the path of a package from the root of the repository.
func inFull(name string) string {
	top, _, _ := strings.Cut(name, "/")
	if _, err := os.Stat(filepath.Join(root, top)); err == nil {
		return name
	}
	return "internal/" + name
}

// packages lists what each package of this module imports outside its tests,
// for all platforms and tags.
func packages(t *testing.T) map[string]map[string]bool {
	t.Helper()
	found := map[string]map[string]bool{}
	err := filepath.WalkDir(root, func(file string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			return skipped(file, entry.Name())
		}
		if !strings.HasSuffix(file, ".go") || strings.HasSuffix(file, "_test.go") {
			return nil
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		folder, err := filepath.Rel(root, filepath.Dir(file))
		if err != nil {
			return err
		}
		if found[folder] == nil {
			found[folder] = map[string]bool{}
		}
		for _, spec := range parsed.Imports {
			name, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			found[folder][name] = true
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// skipped leaves out what the go command does: other modules, test data, what is
// hidden.
func skipped(folder, name string) error {
	if folder == root {
		return nil
	}
	_, err := os.Stat(filepath.Join(folder, "go.mod"))
	if err == nil || name == "testdata" || strings.HasPrefix(name, ".") || strings.HasPrefix(name, "_") || name == "dist" || name == "bin" {
		return filepath.SkipDir
	}
	return nil
}
