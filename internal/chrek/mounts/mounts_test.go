package mounts

import (
	"slices"
	"strings"
	"testing"
)

const pod = `1423 1260 0:131 / / rw,relatime master:300 - overlay overlay rw,lowerdir=/c/snapshots/7/fs,upperdir=/c/snapshots/8/fs,workdir=/c/snapshots/8/work
1424 1423 0:133 / /proc rw,nosuid - proc proc rw
1425 1423 0:134 / /dev rw,nosuid - tmpfs tmpfs rw,size=65536k
1426 1425 0:121 / /dev/shm rw - tmpfs shm rw,size=65536k
1427 1423 254:0 /pods/a\040b /data\040dir rw,relatime - ext4 /dev/root rw
1428 1424 0:133 /bus /proc/bus ro,nosuid - proc proc rw
1429 1423 0:140 / /data\040dir rw - tmpfs tmpfs rw
`

func TestThePodProvidesAllButRootAndProc(t *testing.T) {
	all, err := Parse(pod)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := External(all), []string{"/dev", "/dev/shm", "/data dir", "/proc/bus"}; !slices.Equal(got, want) {
		t.Errorf("external: %q, want %q", got, want)
	}
	if upper, err := Upper(all); err != nil || upper != "/c/snapshots/8/fs" {
		t.Errorf("upper: %q, %v", upper, err)
	}
	if !Has(all, "/dev") || Has(all, "/data") {
		t.Error("Has is wrong")
	}
}

func TestOtherRootsAreRefused(t *testing.T) {
	for name, tc := range map[string]struct{ line, want string }{
		"another type": {"1 0 0:1 / / rw - btrfs /dev/a rw", "type btrfs"},
		"no upper":     {"1 0 0:1 / / ro - overlay overlay ro,lowerdir=/a:/b", "without an upper folder"},
		"upwards":      {"1 0 0:1 / / ro - overlay overlay ro,upperdir=/a/../etc", "without an upper folder"},
		"nothing":      {"1 0 0:1 / /a ro - ext4 /dev/a ro", "nothing is mounted"},
	} {
		t.Run(name, func(t *testing.T) {
			all, err := Parse(tc.line)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := Upper(all); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v, want %q", err, tc.want)
			}
		})
	}
}

func TestWhatIsNoMountinfo(t *testing.T) {
	for _, text := range []string{"x", "1 2 3 4 5 6 - a b", `1 0 0:1 / /a\04 rw - ext4 a rw`, `1 0 0:1 / /a\999 rw - ext4 a rw`} {
		if _, err := Parse(text); err == nil {
			t.Errorf("%q was understood", text)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(pod)
	f.Add(`1 0 0:1 / /a\134 rw - ext4 a rw`)
	f.Fuzz(func(t *testing.T, text string) {
		all, err := Parse(text)
		if err != nil {
			return
		}
		if len(External(all)) > len(all) {
			t.Error("more mounts came out than went in")
		}
		_, _ = Upper(all)
	})
}
