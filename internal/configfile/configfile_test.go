package configfile

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

type file struct {
	Name string `json:"name"`
	Deep struct {
		Size int `json:"size"`
	} `json:"deep"`
}

func parse(data []byte) (*file, error) {
	f := &file{Name: "default"}
	return f, Decode(data, f)
}

func TestLoadReadsOverTheDefaults(t *testing.T) {
	path := filepath.Join(t.TempDir(), "config.yaml")
	if err := os.WriteFile(path, []byte("deep: {size: 3}"), 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := Load("test configuration", path, parse)
	if err != nil || got.Name != "default" || got.Deep.Size != 3 {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestLoadNamesWhatIsWrong(t *testing.T) {
	path := filepath.Join(t.TempDir(), "config.yaml")
	for content, want := range map[string]string{
		"deep: {sise: 3}":        `unknown field "deep.sise"`,
		"name: a\nname: b":       "already set",
		"deep: {size: three}":    "deep.size",
		"deep: [":                "yaml",
		"name: {first: a}\n":     "name",
		"deep: {size: 3}\nx: {}": `unknown field "x"`,
	} {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := Load("test configuration", path, parse)
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "test configuration "+path) {
			t.Errorf("%q: got %v, want the path and %q", content, err, want)
		}
	}
	if _, err := Load("test configuration", path+".missing", parse); err == nil || !strings.Contains(err.Error(), "read the test configuration") {
		t.Errorf("got %v for a missing file", err)
	}
}
