package artifact

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// store makes an artifact of two files.
func store(t *testing.T, s *Store, content string) {
	t.Helper()
	draft, err := s.Begin("one")
	must(t, err)
	must(t, os.WriteFile(filepath.Join(draft.Dir, "layer-0.tar"), []byte(content), 0o600))
	must(t, os.WriteFile(filepath.Join(draft.Dir, "pages-1.img"), []byte("pages"), 0o600))
	must(t, draft.Commit(t.Context(), &Manifest{Namespace: "team-a", Pod: "p", Layers: []Layer{{"/", "layer-0.tar"}}}))
	must(t, draft.Abort())
}

func TestAnArtifactIsThereWholeOrNotAtAll(t *testing.T) {
	base := t.TempDir()
	s := NewStore(base, "team-a", "node-1")
	if _, err := s.Manifest("one"); !errors.Is(err, ErrMissing) {
		t.Errorf("before: %v", err)
	}
	store(t, s, "first")
	store(t, s, "second")
	m, err := s.Manifest("one")
	must(t, err)
	must(t, s.Verify(t.Context(), m))
	if content, err := os.ReadFile(filepath.Join(s.Location("one"), "layer-0.tar")); err != nil || string(content) != "second" {
		t.Errorf("%s, %v", content, err)
	}

	aborted, err := s.Begin("one")
	must(t, err)
	must(t, os.WriteFile(filepath.Join(aborted.Dir, "pages-1.img"), []byte("half"), 0o600))
	must(t, aborted.Abort())
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	interrupted, err := s.Begin("one")
	must(t, err)
	must(t, os.WriteFile(filepath.Join(interrupted.Dir, "pages-1.img"), []byte("half"), 0o600))
	if err := interrupted.Commit(ended, &Manifest{}); !errors.Is(err, context.Canceled) {
		t.Errorf("a commit whose time has passed: %v", err)
	}
	must(t, s.Verify(t.Context(), m))

	// An agent that was killed leaves a draft, which is another's business on another node.
	must(t, NewStore(base, "team-a", "node").Sweep())
	if left := names(t, filepath.Join(base, "team-a")); len(left) != 2 {
		t.Errorf("another node has removed a draft: %v", left)
	}
	must(t, s.Sweep())
	if left := names(t, filepath.Join(base, "team-a")); len(left) != 1 || left[0] != "one" {
		t.Errorf("left: %v", left)
	}
	if info, err := os.Stat(filepath.Join(base, "team-a")); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("mode %s, %v", info.Mode(), err)
	}
}

func names(t *testing.T, dir string) (all []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	must(t, err)
	for _, entry := range entries {
		all = append(all, entry.Name())
	}
	return all
}

// TestStorageThatCannotExchange: the artifact that was aside comes back, if the new one
// has not come.
func TestStorageThatCannotExchange(t *testing.T) {
	s := NewStore(t.TempDir(), "team-a", "node-1")
	store(t, s, "first")
	draft, err := s.Begin("one")
	must(t, err)
	must(t, os.WriteFile(filepath.Join(draft.Dir, "x"), nil, 0o600))
	must(t, draft.aside(s.Location("one")))
	if got := names(t, s.Location("one")); len(got) != 1 || got[0] != "x" {
		t.Errorf("in its place: %v", got)
	}
	old := filepath.Join(filepath.Dir(s.Location("one")), oldPrefix+"one")
	must(t, os.Rename(s.Location("one"), old))
	must(t, s.Sweep())
	if got := names(t, s.Location("one")); len(got) != 1 {
		t.Errorf("it did not come back: %v", got)
	}
	must(t, os.Mkdir(old, 0o700))
	must(t, s.Sweep())
	if _, err := os.Stat(old); !os.IsNotExist(err) {
		t.Errorf("what was replaced is left: %v", err)
	}
}

func TestWhatIsRemovedIsGone(t *testing.T) {
	base := t.TempDir()
	s := NewStore(base, "team-a", "node-1")
	if all, err := s.List(); err != nil || len(all) != 0 {
		t.Errorf("of no folder: %v, %v", all, err)
	}
	store(t, s, "first")
	draft, err := NewStore(base, "team-a", "node-2").Begin("two")
	must(t, err)
	must(t, os.WriteFile(filepath.Join(draft.Dir, "pages-1.img"), nil, 0o600))
	if all, err := s.List(); err != nil || len(all) != 1 || all[0] != "one" {
		t.Errorf("stored are %v, %v", all, err)
	}
	must(t, s.Remove("one"))
	if err := s.Remove("one"); !errors.Is(err, ErrMissing) {
		t.Errorf("what is not there: %v", err)
	}
	now := time.Now()
	must(t, os.Chtimes(draft.Dir, now, now.Add(-2*time.Hour)))
	must(t, s.Abandoned(now.Add(-time.Hour)))
	if got := names(t, filepath.Join(base, "team-a")); len(got) != 1 {
		t.Errorf("a draft that is written to is gone, or more is left: %v", got)
	}
	must(t, os.Chtimes(filepath.Join(draft.Dir, "pages-1.img"), now, now.Add(-2*time.Hour)))
	must(t, s.Abandoned(now.Add(-time.Hour)))
	if got := names(t, filepath.Join(base, "team-a")); len(got) != 0 {
		t.Errorf("left: %v", got)
	}
}

func TestDamageIsSeen(t *testing.T) {
	for name, tc := range map[string]struct {
		damage func(dir string) error
		want   string
	}{
		"a bit":           {func(dir string) error { return os.WriteFile(filepath.Join(dir, "pages-1.img"), []byte("qages"), 0o600) }, "pages-1.img is not what was stored"},
		"a length":        {func(dir string) error { return os.Truncate(filepath.Join(dir, "pages-1.img"), 2) }, "pages-1.img has 2 bytes, and had 5"},
		"a missing file":  {func(dir string) error { return os.Remove(filepath.Join(dir, "pages-1.img")) }, "pages-1.img is missing"},
		"a further file":  {func(dir string) error { return os.WriteFile(filepath.Join(dir, "core-1.img"), nil, 0o600) }, "core-1.img does not belong"},
		"a link":          {func(dir string) error { return os.Symlink("/etc/passwd", filepath.Join(dir, "core-1.img")) }, "no regular file"},
		"no manifest":     {func(dir string) error { return os.Remove(filepath.Join(dir, manifestName)) }, "no manifest"},
		"half a manifest": {func(dir string) error { return os.Truncate(filepath.Join(dir, manifestName), 30) }, manifestName},
		"another's manifest": {func(dir string) error {
			data, err := encode(&Manifest{Format: Format, ID: "two"})
			return errors.Join(err, os.WriteFile(filepath.Join(dir, manifestName), data, 0o600))
		}, `says that it is "two"`},
		"a changed manifest": {func(dir string) error {
			path := filepath.Join(dir, manifestName)
			data, err := os.ReadFile(path)
			return errors.Join(err, os.WriteFile(path, []byte(strings.Replace(string(data), `"pod":"p"`, `"pod":"q"`, 1)), 0o600))
		}, "is not what was stored"},
		"a file outside": {func(dir string) error {
			data, err := encode(&Manifest{Format: Format, ID: "one", Files: map[string]File{"../x": {}}})
			return errors.Join(err, os.WriteFile(filepath.Join(dir, manifestName), data, 0o600))
		}, "which no artifact has"},
		"a later format": {func(dir string) error {
			data, err := encode(&Manifest{Format: Format + 1, ID: "one"})
			return errors.Join(err, os.WriteFile(filepath.Join(dir, manifestName), data, 0o600))
		}, "of format 2"},
	} {
		t.Run(name, func(t *testing.T) {
			s := NewStore(t.TempDir(), "team-a", "node-1")
			store(t, s, "first")
			must(t, tc.damage(s.Location("one")))
			m, err := s.Manifest("one")
			if err == nil {
				err = s.Verify(t.Context(), m)
			}
			if !errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v, want damage with %q", err, tc.want)
			}
		})
	}
}

func TestFacts(t *testing.T) {
	stored := Facts{Image: "a@sha256:1", Command: []string{"w", "-x"}, UID: "0", Kernel: "6.8.0-1", CRIU: "4.2.1", CPU: []string{"avx", "sse"}, Mounts: []string{"/data", "/dev"}, Memory: 2 << 20, Rights: &Rights{0b11, true, true}}
	here := Facts{Image: "a@sha256:1", Command: []string{"w", "-x"}, UID: "0", Kernel: "6.18.4", CRIU: "4.10", CPU: []string{"avx", "avx2", "sse"}, Mounts: []string{"/dev", "/data", "/more"}, Memory: 3 << 20, Rights: &Rights{0b111, true, true}}
	if got := stored.Differs(here); got != "" {
		t.Errorf("it fits, and is refused: %s", got)
	}
	if got := stored.Differs(Facts{}) + (Facts{}).Differs(here); got != "" {
		t.Errorf("what is not known refuses: %s", got)
	}
	for want, change := range map[string]func(*Facts){
		`image: the checkpoint is of "a@sha256:1", and here it is "a@sha256:2"`:                                             func(f *Facts) { f.Image = "a@sha256:2" },
		`command: the checkpoint is of "w -x", and here it is "w"`:                                                          func(f *Facts) { f.Command = []string{"w"} },
		`user: the checkpoint is of "0", and here it is "1000"`:                                                             func(f *Facts) { f.UID = "1000" },
		"kernel: the checkpoint was taken with 6.8.0-1, and 5.15.0 here is older":                                           func(f *Facts) { f.Kernel = "5.15.0" },
		"CRIU: the checkpoint was taken with 4.2.1, and 4.1 here is older":                                                  func(f *Facts) { f.CRIU = "4.1" },
		"processor: the checkpoint needs avx, which is not here":                                                            func(f *Facts) { f.CPU = []string{"sse"} },
		"mounts: the checkpoint needs /data, which is not here":                                                             func(f *Facts) { f.Mounts = []string{"/dev"} },
		"capabilities: the checkpoint is of a process with 0000000000000003, and here it may have 0000000000000001 at most": func(f *Facts) { f.Rights = &Rights{1, true, true} },
		"memory: the checkpoint has 2 MiB, and the container may have 1 MiB":                                                func(f *Facts) { f.Memory = 1 << 20 },
	} {
		other := here
		change(&other)
		if got := stored.Differs(other); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// TestARestoreGivesNoRights: a process keeps those that it had.
func TestARestoreGivesNoRights(t *testing.T) {
	free, confined := &Rights{3, false, false}, &Rights{3, true, true}
	for want, tc := range map[string]struct{ stored, here *Rights }{
		"privileges: ": {free, &Rights{3, true, false}},
		"seccomp: ":    {free, &Rights{3, false, true}},
	} {
		if got := tc.stored.more(tc.here); !strings.HasPrefix(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	if got := confined.more(free) + free.more(nil) + confined.more(confined); got != "" {
		t.Errorf("less was refused: %s", got)
	}
}

func FuzzDecode(f *testing.F) {
	data, err := encode(&Manifest{Format: Format, ID: "one", Layers: []Layer{{"/", "a"}}, Files: map[string]File{"a": {}}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := decode(data)
		if err != nil {
			return
		}
		for name := range m.Files {
			if strings.ContainsRune(name, '/') || strings.HasPrefix(name, ".") {
				t.Errorf("a file %q", name)
			}
		}
	})
}
