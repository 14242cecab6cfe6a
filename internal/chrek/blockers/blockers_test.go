package blockers

import (
	"strings"
	"testing"
)

func TestWhatNoCheckpointCanStore(t *testing.T) {
	open := func(target, info string) []Process { return []Process{{Name: "w", Open: []File{{target, info}}}} }
	const head = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
	for name, tc := range map[string]struct {
		processes   []Process
		table, line string
		want        string
	}{
		"io_uring":              {open("anon_inode:[io_uring]", ""), "", "", "block-iouring.json"},
		"userfaultfd":           {open("anon_inode:[userfaultfd]", ""), "", "", "userfaultfd"},
		"a watch":               {open("anon_inode:inotify", "pos:\t0\ninotify wd:1 ino:2\n"), "", "", "w watches files"},
		"no watch":              {open("anon_inode:inotify", "pos:\t0\n"), "", "", ""},
		"epoll":                 {open("anon_inode:[eventpoll]", "tfd: 5"), "", "", ""},
		"a GPU":                 {open("/dev/nvidia0", ""), "", "", "/dev/nvidia0"},
		"a device":              {open("/dev/fuse", ""), "", "", "the device /dev/fuse"},
		"no device":             {append(append(open("/dev/null", ""), open("/dev/shm/x", "")...), open("/data/dev/x", "")...), "", "", ""},
		"System V":              {[]Process{{Name: "w", Maps: "7f00-7f01 rw-s 00000000 00:01 32769 /SYSV00000000 (deleted)\n"}}, "", "", "System V"},
		"a listener, own":       {nil, "tcp", "   0: 0480C80A:1F90 00000000:0000 0A 0 0 0 0 0 77", "(tcp) waits at the pod's own address 10.200.128.4:8080"},
		"a listener, all":       {nil, "tcp", "   0: 00000000:1F90 00000000:0000 0A 0 0 0 0 0 77", ""},
		"a listener, itself":    {nil, "tcp", "   0: 0100007F:1F90 00000000:0000 0A 0 0 0 0 0 77", ""},
		"a connection":          {nil, "tcp", "   0: 0480C80A:1F90 0580C80A:1F90 01 0 0 0 0 0 77", ""},
		"a listener, version 6": {nil, "tcp6", "   0: 000000FD000000000000000001000000:1F90 0:0 0A 0 0 0 0 0 77", "[fd00::1]:8080"},
		"all, version 6":        {nil, "tcp6", "   0: 00000000000000000000000000000000:1F90 0:0 0A 0 0 0 0 0 77", ""},
		"mapped":                {nil, "tcp6", "   0: 0000000000000000FFFF00000480C80A:1F90 0:0 0A 0 0 0 0 0 77", "10.200.128.4:8080"},
		"UDP":                   {nil, "udp", "   0: 0480C80A:0035 00000000:0000 07 0 0 0 0 0 77", "(udp)"},
		"nonsense":              {nil, "tcp", "   0: 0480:1F90 x 0A\n 1: x", ""},
	} {
		t.Run(name, func(t *testing.T) {
			got := strings.Join(Find(tc.processes, map[string]string{tc.table: head + tc.line + "\n"}), "\n")
			if tc.want == "" && got != "" || !strings.Contains(got, tc.want) {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}

func FuzzFind(f *testing.F) {
	f.Add("   0: 0480C80A:1F90 00000000:0000 0A 0 0 0 0 0 77", "anon_inode:inotify")
	f.Fuzz(func(t *testing.T, table, target string) {
		for _, found := range Find([]Process{{Open: []File{{target, target}}, Maps: target}}, map[string]string{"tcp": table, "udp6": table}) {
			if found == "" {
				t.Error("a blocker without a word")
			}
		}
	})
}
