// Package mounts reads the mounts of a process, and says which of them a checkpoint
// leaves to the pod.
package mounts

import (
	"fmt"
	"path"
	"strconv"
	"strings"
)

// Mount is one line of a process's mountinfo; proc_pid_mountinfo(5) describes them.
type Mount struct {
	Point   string
	Type    string
	Options string // of its superblock, separated by commas
}

// Parse reads a mountinfo.
func Parse(content string) ([]Mount, error) {
	var all []Mount
	for line := range strings.Lines(content) {
		before, after, found := strings.Cut(strings.TrimSuffix(line, "\n"), " - ")
		fields, rest := strings.Split(before, " "), strings.Split(after, " ")
		if !found || len(fields) < 6 || len(rest) != 3 {
			return nil, fmt.Errorf("mountinfo: the line %q is not understood", strings.TrimSpace(line))
		}
		point, err := unescape(fields[4])
		if err != nil {
			return nil, fmt.Errorf("mountinfo: %w", err)
		}
		options, err := unescape(rest[2])
		if err != nil {
			return nil, fmt.Errorf("mountinfo: %w", err)
		}
		all = append(all, Mount{Point: point, Type: rest[0], Options: options})
	}
	return all, nil
}

// unescape replaces \ooo, as the kernel writes blanks and backslashes.
func unescape(text string) (string, error) {
	var out strings.Builder
	for {
		before, after, found := strings.Cut(text, `\`)
		out.WriteString(before)
		if !found {
			return out.String(), nil
		}
		if len(after) < 3 {
			return "", fmt.Errorf("%q ends within an escape", text)
		}
		code, err := strconv.ParseUint(after[:3], 8, 8)
		if err != nil {
			return "", fmt.Errorf("%q has no escape of three octal digits", text)
		}
		out.WriteByte(byte(code))
		text = after[3:]
	}
}

// External are the mounts that the pod provides, by their points: all but the root,
// which CRIU finds by itself, and /proc, which it mounts anew.
func External(all []Mount) []string {
	var points []string
	seen := map[string]bool{"/": true, "/proc": true}
	for _, m := range all {
		if !seen[m.Point] {
			seen[m.Point] = true
			points = append(points, m.Point)
		}
	}
	return points
}

// Has reports whether something is mounted at a point.
func Has(all []Mount, point string) bool {
	for _, m := range all {
		if m.Point == point {
			return true
		}
	}
	return false
}

// Upper is the folder of an overlay's own files, by the option of the root's mount.
func Upper(all []Mount) (string, error) {
	for _, m := range all {
		if m.Point != "/" {
			continue
		}
		for option := range strings.SplitSeq(m.Options, ",") {
			if dir, ok := strings.CutPrefix(option, "upperdir="); ok && m.Type == "overlay" && path.IsAbs(dir) && path.Clean(dir) == dir {
				return dir, nil
			}
		}
		return "", fmt.Errorf("the root is a file system of type %s without an upper folder; only overlay is supported", m.Type)
	}
	return "", fmt.Errorf("nothing is mounted at the root")
}
