package manager

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/wheelhouse-dev/wheelhouse/charts"
	"github.com/wheelhouse-dev/wheelhouse/internal/chart"
	"github.com/wheelhouse-dev/wheelhouse/test/cluster"
)

// taskBlock is a file of the guide with its name, or commands.
var taskBlock = regexp.MustCompile("(?s)(?:`([a-z/.-]+)`\n```yaml\n(.*?)```|```sh\n(.*?)```)")

// taskCodes are how commands end where that is not 0: on a cluster without nodes
// no operator runs, which status and doctor say.
var taskCodes = map[string][]int{"plan": {0, 2}, "status": {1}, "doctor": {1}, "upgrade-check": {0, 2}}

// Every command of the guide to the main tasks works, in the order of the page.
func TestTheMainTasks(t *testing.T) {
	c := cluster.Start(t)
	page, err := os.ReadFile("../../docs/guides/tasks.md")
	if err != nil {
		t.Fatal(err)
	}
	reader := newReader(t, c)
	blocks := taskBlock.FindAllStringSubmatch(string(page), -1)
	if len(blocks) < 16 {
		t.Fatalf("%d blocks on the page", len(blocks))
	}
	for _, block := range blocks {
		if block[1] != "" {
			reader.writes(block[1], block[2])
			continue
		}
		for line := range strings.Lines(block[3]) {
			reader.types(line)
		}
	}
	for command, says := range map[string]string{
		"wheelhouse validate":      "fleet.yaml is valid",
		"wheelhouse history":       "apply",
		"wheelhouse doctor":        "the operator has fewer ready pods than it wants",
		"wheelhouse destroy":       "team-a-platform",
		"wheelhouse rules":         "C-22",
		"wheelhouse apply --adopt": "adopt",
		"wheelhouse explain":       "team-b.yaml",
	} {
		i := slices.IndexFunc(reader.typed, func(r typed) bool { return strings.HasPrefix(r.line, command) })
		if i < 0 || !strings.Contains(reader.typed[i].out, says) {
			t.Errorf("`%s` did not say %q: %+v", command, says, reader.typed[max(i, 0)])
		}
	}
}

// pageReader does what a reader of the page does.
type pageReader struct {
	*testing.T
	dir   string
	env   []string
	typed []typed
}

type typed struct{ line, out string }

// newReader is somebody who has the charts that `make charts` packages, and has
// fetched the chart of NATS before.
func newReader(t *testing.T, c *cluster.Cluster) *pageReader {
	t.Helper()
	r := &pageReader{T: t, dir: t.TempDir()}
	r.env = append(os.Environ(), "KUBECONFIG="+c.Kubeconfig, "XDG_CACHE_HOME="+t.TempDir(), "HOME="+t.TempDir(),
		"PATH="+tools+string(os.PathListSeparator)+os.Getenv("PATH"))
	platform, err := chart.OpenFS(charts.FS(), "platform")
	if err != nil {
		t.Fatal(err)
	}
	third, err := filepath.Abs("../thirdparty/charts")
	if err != nil {
		t.Fatal(err)
	}
	mirrors := ""
	for _, d := range platform.Missing(platform.Defaults().PlainMap()) {
		mirrors += "    " + d.Repository + ": " + third + "\n"
		whole, err := chart.Open(filepath.Join(third, d.Name))
		if err != nil {
			t.Fatal(err)
		}
		if platform, err = platform.With([]*chart.Chart{whole}); err != nil {
			t.Fatal(err)
		}
	}
	r.writes("fleet.yaml", "apiVersion: wheelhouse.dev/v1alpha1\nkind: Fleet\nmetadata: {name: x}\nspec:\n  chartMirrors:\n"+mirrors+"  platforms: [{namespace: a}]\n")
	r.types("wheelhouse deps pull")
	packed, err := platform.Package()
	if err != nil {
		t.Fatal(err)
	}
	r.writes("dist/charts/"+platform.FileName(), string(packed))
	return r
}

func (r *pageReader) writes(file, content string) {
	r.Helper()
	path := filepath.Join(r.dir, file)
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte(content), 0o600)); err != nil {
		r.Fatal(err)
	}
}

// types runs a line of the page as a shell does, and does not wait for pods.
func (r *pageReader) types(line string) {
	r.Helper()
	line, _, _ = strings.Cut(strings.TrimSpace(line), "  #")
	words := strings.Fields(line)
	command := line
	if words[1] == "apply" || words[1] == "rollback" {
		command += " --no-wait"
	}
	run := exec.CommandContext(r.Context(), "sh", "-c", command)
	run.Dir, run.Env = r.dir, r.env
	out, err := run.CombinedOutput()
	code := 0
	var ended *exec.ExitError
	if errors.As(err, &ended) {
		code = ended.ExitCode()
	} else if err != nil {
		r.Fatal(err)
	}
	wanted, listed := taskCodes[words[1]]
	if !listed {
		wanted = []int{0}
	}
	if !slices.Contains(wanted, code) {
		r.Fatalf("`%s` ended with %d, want %v:\n%s", command, code, wanted, out)
	}
	r.typed = append(r.typed, typed{line, string(out)})
}
