package layer

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// TestHostileFilesAreCarriedAsTheyAreOrRefused: the files are a tenant's, who would have us
// read what is not its own, wait for ever, or give a pod more than it may have.
func TestHostileFilesAreCarriedAsTheyAreOrRefused(t *testing.T) {
	defer func(before int) { most = before }(most)
	most = 300
	for attack, tc := range map[string]struct {
		make func(in func(string) string) error
		// refused is what is said, "" if the files are carried; then holds says whether
		// they are what they were.
		refused string
		holds   func(at func(string) string) bool
	}{
		"a link to a file of the node": {
			func(in func(string) string) error { return os.Symlink("/etc/passwd", in("l")) }, "",
			func(at func(string) string) bool { target, _ := os.Readlink(at("l")); return target == "/etc/passwd" },
		},
		"a magic link": {
			func(in func(string) string) error { return os.Symlink("/proc/1/root/etc", in("l")) }, "",
			func(at func(string) string) bool {
				target, _ := os.Readlink(at("l"))
				return target == "/proc/1/root/etc"
			},
		},
		"a folder that is a link": {
			func(in func(string) string) error { return os.Symlink("/", in("d")) }, "",
			func(at func(string) string) bool {
				info, err := os.Lstat(at("d"))
				return err == nil && info.Mode().Type() == os.ModeSymlink
			},
		},
		"hard links": {
			func(in func(string) string) error {
				return errors.Join(os.WriteFile(in("a"), []byte("x"), 0o600), os.Link(in("a"), in("b")))
			}, "",
			func(at func(string) string) bool {
				a, err1 := os.Stat(at("a"))
				b, err2 := os.Stat(at("b"))
				return err1 == nil && err2 == nil && os.SameFile(a, b)
			},
		},
		"a pipe that nobody writes to": {
			func(in func(string) string) error { return unix.Mkfifo(in("p"), 0o600) }, "",
			func(at func(string) string) bool {
				info, err := os.Lstat(at("p"))
				return err == nil && info.Mode().Type() == os.ModeNamedPipe
			},
		},
		"a socket": {
			func(in func(string) string) error { return unix.Mknod(in("s"), unix.S_IFSOCK|0o600, 0) }, "",
			func(at func(string) string) bool { _, err := os.Lstat(at("s")); return os.IsNotExist(err) },
		},
		"a file of a TiB without data": {
			func(in func(string) string) error {
				return errors.Join(os.WriteFile(in("f"), []byte("x"), 0o600), os.Truncate(in("f"), 1<<40))
			}, "",
			func(at func(string) string) bool {
				info, err := os.Stat(at("f"))
				return err == nil && info.Size() == 1<<40
			},
		},
		"names with new lines and dots": {
			func(in func(string) string) error {
				return errors.Join(os.WriteFile(in("a\n..b"), []byte("1"), 0o600), os.WriteFile(in("...\t"), []byte("2"), 0o600))
			}, "",
			func(at func(string) string) bool {
				one, _ := os.ReadFile(at("a\n..b"))
				two, _ := os.ReadFile(at("...\t"))
				return string(one)+string(two) == "12"
			},
		},
		"names that are no text": {
			func(in func(string) string) error {
				return errors.Join(os.Mkdir(in("\xff\xfe"), 0o755), os.WriteFile(in("\xff\xfe/\x80"), []byte("x"), 0o600))
			}, "",
			func(at func(string) string) bool {
				content, _ := os.ReadFile(at("\xff\xfe/\x80"))
				return string(content) == "x"
			},
		},
		"a program of root's": {
			func(in func(string) string) error {
				return errors.Join(os.WriteFile(in("su"), nil, 0o755), os.Chmod(in("su"), 0o755|os.ModeSetuid))
			}, "",
			func(at func(string) string) bool {
				was, err := os.Stat(at("su"))
				return err == nil && was.Mode()&os.ModeSetuid != 0 // whose it is, and no_new_privs, are the pod's
			},
		},
		"a program with capabilities": {
			func(in func(string) string) error {
				everything := []byte{1, 0, 0, 2, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0}
				if err := os.WriteFile(in("c"), nil, 0o755); err != nil {
					return err
				}
				_ = unix.Setxattr(in("c"), "security.capability", everything, 0) // who may not, cannot attack so
				return nil
			}, "",
			func(at func(string) string) bool {
				_, err := unix.Getxattr(at("c"), "security.capability", make([]byte, 64))
				return errors.Is(err, unix.ENODATA) || errors.Is(err, unix.ENOTSUP)
			},
		},
		"more files than there may be": {
			func(in func(string) string) error {
				var errs []error
				for i := range 301 {
					errs = append(errs, os.WriteFile(in(strconv.Itoa(i)), nil, 0o600))
				}
				return errors.Join(errs...)
			}, "is one of more than 300 files", nil,
		},
		"folders in folders": {
			func(in func(string) string) error {
				return os.MkdirAll(in(strings.Repeat("d/", deepest+2)), 0o755)
			}, "lies more than 200 folders deep", nil,
		},
	} {
		t.Run(attack, func(t *testing.T) {
			from, to := t.TempDir(), t.TempDir()
			must(t, tc.make(func(name string) string { return filepath.Join(from, name) }))
			var archive bytes.Buffer
			err := Capture(from, false, nil, &archive)
			if tc.refused != "" {
				var blocked *Blocked
				if !errors.As(err, &blocked) || !strings.Contains(err.Error(), tc.refused) {
					t.Errorf("got %v, want %q", err, tc.refused)
				}
				return
			}
			must(t, err)
			if archive.Len() > 64<<10 {
				t.Errorf("%d bytes are stored", archive.Len())
			}
			must(t, Apply(to, &archive))
			if !tc.holds(func(name string) string { return filepath.Join(to, name) }) {
				t.Error("it is not what it was")
			}
		})
	}
}

// TestWhatIsPutInAFilesPlaceIsNotRead: between the look at a file and its opening.
func TestWhatIsPutInAFilesPlaceIsNotRead(t *testing.T) {
	dir := t.TempDir()
	must(t, os.WriteFile(filepath.Join(dir, "a"), []byte("a"), 0o600), os.WriteFile(filepath.Join(dir, "secret"), []byte("s"), 0o600))
	root, err := os.OpenRoot(dir)
	must(t, err)
	defer func() { _ = root.Close() }()
	seen, err := root.Lstat("a")
	must(t, err)
	must(t, os.Link(filepath.Join(dir, "a"), filepath.Join(dir, "kept"))) // so that its number is not given again
	c := &capture{root: root}
	for name, swap := range map[string]func(at string) error{
		"a link":       func(at string) error { return os.Symlink("secret", at) },
		"another file": func(at string) error { return os.WriteFile(at, nil, 0o600) },
		"a pipe":       func(at string) error { return unix.Mkfifo(at, 0o600) },
	} {
		must(t, os.Remove(filepath.Join(dir, "a")), swap(filepath.Join(dir, "a")))
		if file, err := c.open("a", seen); err == nil {
			t.Errorf("%s was read", name)
			_ = file.Close()
		}
	}
}
