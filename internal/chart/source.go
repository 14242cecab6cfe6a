package chart

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"helm.sh/helm/v4/pkg/chart/loader/archive"
	helmchart "helm.sh/helm/v4/pkg/chart/v2"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
	"helm.sh/helm/v4/pkg/ignore"
)

// fileRepository marks a dependency whose chart lies beside its parent.
const fileRepository = "file://"

// OpenFS loads a chart from a folder of a file system, such as the one that is
// embedded in the binary.
func OpenFS(fsys fs.FS, folder string) (*Chart, error) {
	helm, err := loadFolder(fsys, folder)
	if err != nil {
		return nil, fmt.Errorf("chart %s: %w", folder, err)
	}
	return newChart(helm)
}

// Open loads a chart from a folder or a package (.tgz) on disk.
func Open(ref string) (*Chart, error) {
	info, err := os.Stat(ref)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("chart %s: no such file or folder", ref)
	case err != nil:
		return nil, fmt.Errorf("chart %s: %w", ref, err)
	case info.IsDir():
		return openFolder(ref)
	default:
		return openPackage(ref)
	}
}

func openFolder(folder string) (*Chart, error) {
	// Dependencies such as file://../common lie outside the folder itself.
	absolute, err := filepath.Abs(folder)
	if err != nil {
		return nil, fmt.Errorf("chart %s: %w", folder, err)
	}
	root := filepath.VolumeName(absolute) + string(filepath.Separator)
	inside, err := filepath.Rel(root, absolute)
	if err != nil {
		return nil, fmt.Errorf("chart %s: %w", folder, err)
	}
	helm, err := loadFolder(os.DirFS(root), filepath.ToSlash(inside))
	if err != nil {
		return nil, fmt.Errorf("chart %s: %w", folder, err)
	}
	return newChart(helm)
}

func openPackage(file string) (*Chart, error) {
	data, err := os.Open(file)
	if err != nil {
		return nil, fmt.Errorf("chart %s: %w", file, err)
	}
	defer func() { _ = data.Close() }()
	helm, err := loadArchive(data)
	if err != nil {
		return nil, fmt.Errorf("chart %s is not a chart package: %w", file, err)
	}
	return newChart(helm)
}

// maxUnpacked is the largest chart that is unpacked, in bytes.
const maxUnpacked = 64 << 20

// The limit is a variable of the SDK; its own is larger than what is fit for
// packages from anywhere.
var boundArchives = sync.OnceFunc(func() { archive.MaxDecompressedChartSize = maxUnpacked })

func loadArchive(data io.Reader) (*helmchart.Chart, error) {
	boundArchives()
	helm, err := loader.LoadArchive(data)
	if err != nil {
		return nil, err
	}
	return helm, restore(helm)
}

// loadFolder reads a chart's files, then the charts of its file:// dependencies.
func loadFolder(fsys fs.FS, folder string) (*helmchart.Chart, error) {
	files, err := chartFiles(fsys, folder)
	if err != nil {
		return nil, err
	}
	c, err := loader.LoadFiles(files)
	if err != nil {
		return nil, err
	}
	for _, d := range c.Metadata.Dependencies {
		if !strings.HasPrefix(d.Repository, fileRepository) {
			continue
		}
		beside := path.Join(folder, strings.TrimPrefix(d.Repository, fileRepository))
		sub, err := loadFolder(fsys, beside)
		if err != nil {
			return nil, fmt.Errorf("dependency %s in %s: %w", d.Name, beside, err)
		}
		replaceDependency(c, sub)
	}
	return c, nil
}

// replaceDependency prefers the chart beside its parent to a packaged copy in
// charts/, which may be stale.
func replaceDependency(c, sub *helmchart.Chart) {
	others := slices.DeleteFunc(slices.Clone(c.Dependencies()), func(d *helmchart.Chart) bool { return d.Name() == sub.Name() })
	c.SetDependencies(append(others, sub)...)
}

// chartFiles lists what belongs to a chart: everything that .helmignore leaves.
func chartFiles(fsys fs.FS, folder string) ([]*archive.BufferedFile, error) {
	rules, err := ignoreRules(fsys, folder)
	if err != nil {
		return nil, err
	}
	var files []*archive.BufferedFile
	err = fs.WalkDir(fsys, folder, func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		inside := strings.TrimPrefix(strings.TrimPrefix(name, folder), "/")
		if inside == "" {
			return nil
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		if rules.Ignore(inside, info) {
			if entry.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		if !info.Mode().IsRegular() {
			return nil
		}
		data, err := fs.ReadFile(fsys, name)
		if err != nil {
			return err
		}
		// As Helm's loader does: a byte order mark is no content.
		files = append(files, &archive.BufferedFile{Name: inside, Data: bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))})
		return nil
	})
	if err != nil {
		return nil, err
	}
	if len(files) == 0 {
		return nil, errors.New("the folder is empty")
	}
	return files, nil
}

func ignoreRules(fsys fs.FS, folder string) (*ignore.Rules, error) {
	rules := ignore.Empty()
	data, err := fs.ReadFile(fsys, path.Join(folder, ignore.HelmIgnore))
	if err == nil {
		if rules, err = ignore.Parse(bytes.NewReader(data)); err != nil {
			return nil, fmt.Errorf("%s: %w", ignore.HelmIgnore, err)
		}
	} else if !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	rules.AddDefaults()
	return rules, nil
}
