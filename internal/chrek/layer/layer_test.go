package layer

import (
	"archive/tar"
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

func archived(t *testing.T, dir string, overlay bool, exclude ...string) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := Capture(dir, overlay, exclude, &out); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func must(t *testing.T, errs ...error) {
	t.Helper()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

func text(t *testing.T, path string) string {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

func TestFilesArriveAsTheyWere(t *testing.T) {
	from, to := t.TempDir(), t.TempDir()
	in := func(name string) string { return filepath.Join(from, name) }
	must(t, os.MkdirAll(in("a/b"), 0o755), os.WriteFile(in("a/file"), []byte("text"), 0o640), os.Chmod(in("a"), 0o711),
		os.Link(in("a/file"), in("a/b/same")), os.Symlink("/etc/passwd", in("a/link")), unix.Mkfifo(in("fifo"), 0o600),
		os.Chmod(in("a/file"), 0o640|os.ModeSetuid), os.WriteFile(in("a\nb"), []byte("odd"), 0o600))
	attribute := unix.Setxattr(in("a/file"), "user.kind", []byte{0, 1}, 0) == nil // not all file systems have them
	holes, err := os.Create(in("holes"))
	must(t, err, holes.Truncate(64<<20))
	_, err = holes.WriteAt([]byte("far"), 32<<20)
	must(t, err, holes.Close())

	archive := archived(t, from, false)
	if len(archive) > 1<<20 {
		t.Errorf("the archive has the holes: %d bytes", len(archive))
	}
	// What is there gives way, also a folder to a file.
	must(t, os.MkdirAll(filepath.Join(to, "holes/x"), 0o755), os.WriteFile(filepath.Join(to, "kept"), nil, 0o600), Apply(to, bytes.NewReader(archive)))

	at := func(name string) string { return filepath.Join(to, name) }
	if text(t, at("a/file")) != "text" || text(t, at("a\nb")) != "odd" || text(t, at("kept")) != "" {
		t.Error("contents differ")
	}
	if target, err := os.Readlink(at("a/link")); err != nil || target != "/etc/passwd" {
		t.Errorf("link to %s, %v", target, err)
	}
	first, err1 := os.Stat(at("a/file"))
	second, err2 := os.Stat(at("a/b/same"))
	must(t, err1, err2)
	if !os.SameFile(first, second) || first.Mode() != 0o640|os.ModeSetuid {
		t.Errorf("hard link or mode lost: %s", first.Mode())
	}
	if info, err := os.Lstat(at("fifo")); err != nil || info.Mode().Type() != os.ModeNamedPipe {
		t.Errorf("fifo: %v", err)
	}
	if info, err := os.Stat(at("holes")); err != nil || info.Size() != 64<<20 || info.Sys().(*syscall.Stat_t).Blocks > 1024 {
		t.Errorf("holes: %v", err)
	}
	was, err1 := os.Stat(in("a"))
	is, err2 := os.Stat(at("a"))
	must(t, err1, err2)
	if was.Mode() != is.Mode() || !was.ModTime().Equal(is.ModTime()) {
		t.Errorf("folder: %s %s, want %s %s", is.Mode(), is.ModTime(), was.Mode(), was.ModTime())
	}
	if value := make([]byte, 8); attribute {
		if n, err := unix.Getxattr(at("a/file"), "user.kind", value); err != nil || !bytes.Equal(value[:n], []byte{0, 1}) {
			t.Errorf("attribute: %v %v", value[:n], err)
		}
	}
}

func TestAFolderIsCleared(t *testing.T) {
	dir := t.TempDir()
	must(t, os.MkdirAll(filepath.Join(dir, "a/b"), 0o755), os.WriteFile(filepath.Join(dir, "a/file"), nil, 0o600), os.Symlink("/etc", filepath.Join(dir, "link")), Clear(dir))
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("left: %v %v", left, err)
	}
	if _, err := os.Stat("/etc/passwd"); err != nil {
		t.Error(err)
	}
}

func TestExclusions(t *testing.T) {
	patterns := []string{"./proc", "*/.cache/huggingface", "*.pyc"}
	for name, want := range map[string]bool{
		"proc": true, "a/proc": false, "root/.cache/huggingface": true, ".cache/huggingface": true, "x.cache/huggingface": false, "a/b.pyc": true, "a/b.py": false,
	} {
		if got := excluded(name, patterns); got != want {
			t.Errorf("%s: %t, want %t", name, got, want)
		}
	}
	from := t.TempDir()
	must(t, os.MkdirAll(filepath.Join(from, "proc/1"), 0o755), os.WriteFile(filepath.Join(from, "a"), nil, 0o600))
	if names := entries(t, archived(t, from, false, "./proc")); !slices.Equal(names, []string{"a"}) {
		t.Errorf("captured %v", names)
	}
}

func entries(t *testing.T, archive []byte) (names []string) {
	t.Helper()
	for in := tar.NewReader(bytes.NewReader(archive)); ; {
		h, err := in.Next()
		if err != nil {
			return names
		}
		names = append(names, h.Name)
	}
}

// TestDevicesAndWhiteouts needs the right to make devices.
func TestDevicesAndWhiteouts(t *testing.T) {
	from, to := t.TempDir(), t.TempDir()
	if err := unix.Mknod(filepath.Join(from, "deleted"), unix.S_IFCHR, 0); err != nil {
		t.Logf("devices cannot be made here: %v", err)
		return
	}
	must(t, os.MkdirAll(filepath.Join(to, "deleted/deep"), 0o755))
	var blocked *Blocked
	if err := Capture(from, false, nil, &bytes.Buffer{}); !errors.As(err, &blocked) || blocked.Path != "deleted" {
		t.Errorf("a device in a volume: %v", err)
	}
	must(t, os.Mkdir(filepath.Join(from, "new"), 0o755), os.MkdirAll(filepath.Join(to, "new/old"), 0o755))
	opaque := unix.Setxattr(filepath.Join(from, "new"), "trusted.overlay.opaque", []byte("y"), 0) == nil
	must(t, Apply(to, bytes.NewReader(archived(t, from, true))))
	if _, err := os.Lstat(filepath.Join(to, "deleted")); !os.IsNotExist(err) {
		t.Errorf("the deleted file is there: %v", err)
	}
	if _, err := os.Lstat(filepath.Join(to, "new/old")); opaque && !os.IsNotExist(err) {
		t.Errorf("what the image had in a folder that was made anew is there: %v", err)
	}
	must(t, unix.Mknod(filepath.Join(from, "null"), unix.S_IFCHR|0o666, int(unix.Mkdev(1, 3))))
	if err := Capture(from, true, nil, &bytes.Buffer{}); !errors.As(err, &blocked) || blocked.Path != "null" {
		t.Errorf("a device among the changes: %v", err)
	}
}

// TestHostileArchivesStayInside: whatever an archive or the folder says, nothing outside
// of the folder is written.
func TestHostileArchivesStayInside(t *testing.T) {
	type h = tar.Header
	for name, headers := range map[string][]h{
		"upwards":           {{Name: "../out", Typeflag: tar.TypeReg}},
		"upwards inside":    {{Name: "a/../../out", Typeflag: tar.TypeReg}},
		"absolute":          {{Name: "/out", Typeflag: tar.TypeReg}},
		"root":              {{Name: "./", Typeflag: tar.TypeDir}},
		"through a link":    {{Name: "l", Linkname: "..", Typeflag: tar.TypeSymlink}, {Name: "l/out", Typeflag: tar.TypeReg}},
		"hard link upwards": {{Name: "l", Linkname: "../secret", Typeflag: tar.TypeLink}},
		"hard link by link": {{Name: "s", Linkname: "..", Typeflag: tar.TypeSymlink}, {Name: "l", Linkname: "s/secret", Typeflag: tar.TypeLink}},
		"whiteout upwards":  {{Name: "../secret", Typeflag: tar.TypeReg, PAXRecords: map[string]string{recordWhiteout: "1"}}},
		"whiteout by link":  {{Name: "s", Linkname: "..", Typeflag: tar.TypeSymlink}, {Name: "s/secret", Typeflag: tar.TypeReg, PAXRecords: map[string]string{recordWhiteout: "1"}}},
		"capabilities":      {{Name: "cap", Typeflag: tar.TypeReg, PAXRecords: map[string]string{recordXattr + "security.capability": "00"}}},
		"overlay redirect":  {{Name: "dir", Typeflag: tar.TypeDir, PAXRecords: map[string]string{recordXattr + "trusted.overlay.redirect": "2f"}}},
		"device":            {{Name: "dev", Typeflag: tar.TypeBlock, Devmajor: 8}},
		"huge":              {{Name: "huge", Typeflag: tar.TypeReg, PAXRecords: map[string]string{recordSize: "-1", recordData: ""}}},
		"wrong holes":       {{Name: "holes", Typeflag: tar.TypeReg, PAXRecords: map[string]string{recordSize: "10", recordData: "5+9"}}},
	} {
		t.Run(name, func(t *testing.T) {
			outside := t.TempDir()
			inside := filepath.Join(outside, "inside")
			must(t, os.Mkdir(inside, 0o755), os.WriteFile(filepath.Join(outside, "secret"), []byte("s"), 0o600))
			var archive bytes.Buffer
			w := tar.NewWriter(&archive)
			for _, header := range headers {
				header.Format, header.Mode, header.Uid, header.Gid = tar.FormatPAX, 0o644, os.Getuid(), os.Getgid()
				must(t, w.WriteHeader(&header))
			}
			must(t, w.Close())
			if err := Apply(inside, &archive); err == nil {
				t.Error("it was taken")
			}
			left, err := os.ReadDir(outside)
			must(t, err)
			if len(left) != 2 || text(t, filepath.Join(outside, "secret")) != "s" {
				t.Errorf("outside: %v", left)
			}
			if info, err := os.Stat(filepath.Join(outside, "secret")); err != nil || info.Sys().(*syscall.Stat_t).Nlink != 1 {
				t.Errorf("the secret has a further name: %v", err)
			}
		})
	}
}

func FuzzApply(f *testing.F) {
	var good bytes.Buffer
	from := f.TempDir()
	if err := errors.Join(os.WriteFile(filepath.Join(from, "a"), []byte("x"), 0o600), Capture(from, true, nil, &good)); err != nil {
		f.Fatal(err)
	}
	f.Add(good.Bytes())
	f.Fuzz(func(t *testing.T, archive []byte) {
		outside := t.TempDir()
		inside := filepath.Join(outside, "inside")
		must(t, os.Mkdir(inside, 0o755))
		_ = Apply(inside, bytes.NewReader(archive))
		if left, err := os.ReadDir(outside); err != nil || len(left) != 1 {
			t.Errorf("outside: %v %v", left, err)
		}
	})
}

func FuzzSegments(f *testing.F) {
	f.Add("0+3,8+2", int64(10), int64(5))
	f.Fuzz(func(t *testing.T, text string, size, data int64) {
		parts, err := decodeSegments(text, size, data)
		if err != nil {
			return
		}
		var end, sum int64
		for _, p := range parts {
			if p.offset < end || p.length < 1 || p.offset+p.length > size {
				t.Errorf("%v of %d bytes", parts, size)
			}
			end, sum = p.offset+p.length, sum+p.length
		}
		if sum != data {
			t.Errorf("%d bytes in %v", data, parts)
		}
	})
}

func TestManySegmentsAreOne(t *testing.T) {
	path := filepath.Join(t.TempDir(), "holes")
	file, err := os.Create(path)
	must(t, err)
	defer func() { _ = file.Close() }()
	for i := range int64(maxSegments + 10) {
		_, err := file.WriteAt([]byte("x"), i*8192*2)
		must(t, err)
	}
	info, err := file.Stat()
	must(t, err)
	parts, err := segments(file, info.Size())
	if err != nil || len(parts) > maxSegments {
		t.Errorf("%d parts, %v", len(parts), err)
	}
	if !strings.Contains(encodeSegments([]segment{{1, 2}, {3, 4}}), "1+2,3+4") {
		t.Error("encoding")
	}
}
