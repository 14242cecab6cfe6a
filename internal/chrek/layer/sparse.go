package layer

import (
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// segment is a part of a file that has data.
type segment struct{ offset, length int64 }

// maxSegments is how finely holes are kept; a file with more is kept without them.
const maxSegments = 1000

// segments finds the data of a file between its holes.
func segments(file *os.File, size int64) ([]segment, error) {
	whole := []segment{{0, size}}
	if size == 0 {
		return nil, nil
	}
	var found []segment
	for at := int64(0); at < size; {
		start, err := unix.Seek(int(file.Fd()), at, unix.SEEK_DATA)
		if errors.Is(err, unix.ENXIO) {
			break // a hole until the end
		}
		if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOTSUP) {
			return whole, nil
		}
		if err != nil {
			return nil, err
		}
		end, err := unix.Seek(int(file.Fd()), start, unix.SEEK_HOLE)
		if err != nil {
			return nil, err
		}
		end = min(end, size)
		if start >= size {
			break
		}
		if found = append(found, segment{start, end - start}); len(found) > maxSegments {
			return whole, nil
		}
		at = end
	}
	return found, nil
}

func encodeSegments(parts []segment) string {
	texts := make([]string, len(parts))
	for i, part := range parts {
		texts[i] = fmt.Sprintf("%d+%d", part.offset, part.length)
	}
	return strings.Join(texts, ",")
}

// decodeSegments reads what encodeSegments wrote: in order, apart, within size, and as
// long together as the data that is there.
func decodeSegments(text string, size, data int64) ([]segment, error) {
	if size < 0 {
		return nil, fmt.Errorf("a size of %d", size)
	}
	var parts []segment
	var end, sum int64
	if text != "" {
		for one := range strings.SplitSeq(text, ",") {
			before, after, found := strings.Cut(one, "+")
			offset, err1 := strconv.ParseInt(before, 10, 64)
			length, err2 := strconv.ParseInt(after, 10, 64)
			if !found || err1 != nil || err2 != nil || offset < end || length < 1 || length > size || offset > size-length {
				return nil, fmt.Errorf("%q is no part of a file of %d bytes", one, size)
			}
			parts = append(parts, segment{offset, length})
			end, sum = offset+length, sum+length
		}
	}
	if sum != data {
		return nil, fmt.Errorf("%d bytes of data where %d are said to be", data, sum)
	}
	return parts, nil
}

func hexOf(value []byte) string { return hex.EncodeToString(value) }
