package chart

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
)

// AddLocked adds the charts of a lock, and the lock.
func (b *Bundle) AddLocked(shelf Shelf) (err error) {
	for _, c := range shelf.Lock.Charts {
		if b.Files[thirdPartyPath(c)], err = shelf.Cache.Read(c.Digest); err != nil {
			return err
		}
	}
	b.Files[LockName], err = shelf.Lock.Bytes()
	return err
}

// Unpack puts the third-party charts of a bundle into the shelf's cache and
// lock. A chart that is locked to other content is refused before anything is
// written.
func (b *Bundle) Unpack(shelf Shelf) error {
	lock, err := ParseLock("the bundle's "+LockName, b.Files[LockName])
	if err != nil {
		return err
	}
	for _, c := range lock.Charts {
		if err := b.fits(c, shelf.Lock); err != nil {
			return err
		}
	}
	for _, c := range lock.Charts {
		if _, err := shelf.Cache.Put(b.Files[thirdPartyPath(c)]); err != nil {
			return err
		}
		shelf.Lock.Put(dependencyOf(c), c)
	}
	for _, image := range lock.Images {
		shelf.Lock.putImage(image)
	}
	return nil
}

// fits reports whether a bundle has what its own lock and the site's lock say.
func (b *Bundle) fits(c Locked, site *Lock) error {
	if got := digestBytes(b.Files[thirdPartyPath(c)]); got != c.Digest {
		return fmt.Errorf("%w: the bundle does not fit its own lock", &DigestError{What: thirdPartyPath(c), Want: c.Digest, Got: got})
	}
	if known, ok := site.Find(dependencyOf(c)); ok && known.Digest != c.Digest {
		return fmt.Errorf("%w: the site's lock pins other content than the bundle brings; make the bundle from the same lock",
			&DigestError{What: thirdPartyPath(c), Want: known.Digest, Got: c.Digest})
	}
	return nil
}

// Extract writes every file of the bundle below a folder and lists them.
func (b *Bundle) Extract(dir string) (written []string, err error) {
	for _, name := range slices.Sorted(maps.Keys(b.Files)) {
		file := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			return written, fmt.Errorf("extract the bundle: %w", err)
		}
		if err := replaceFile(file, b.Files[name], 0o644); err != nil {
			return written, fmt.Errorf("extract the bundle: %w", err)
		}
		written = append(written, file)
	}
	return written, nil
}

func thirdPartyPath(c Locked) string { return BundleThirdParty + c.Name + "-" + c.Version + ".tgz" }

func dependencyOf(c Locked) Dependency {
	return Dependency{Name: c.Name, Version: c.Version, Repository: c.Repository}
}
