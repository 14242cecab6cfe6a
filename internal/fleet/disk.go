package fleet

import (
	"errors"
	"os"
	"path/filepath"
)

// Disk reads files from the host's file system.
type Disk struct {
	// Input reads what the name "-" stands for; may be nil.
	Input func() ([]byte, error)
	// Done ends a read that waits, as that of a pipe without a writer does; may
	// be nil.
	Done <-chan struct{}
}

var _ Files = Disk{}

var errStopped = errors.New("stopped on request")

// Read returns a file's content.
func (d Disk) Read(path string) ([]byte, error) {
	type content struct {
		data []byte
		err  error
	}
	read := make(chan content, 1)
	// An open that waits cannot be cancelled: it is left behind.
	go func() {
		if path == "-" && d.Input != nil {
			data, err := d.Input()
			read <- content{data, err}
			return
		}
		data, err := os.ReadFile(path)
		read <- content{data, err}
	}()
	select {
	case c := <-read:
		return c.data, c.err
	case <-d.Done:
		return nil, errStopped
	}
}

// Glob lists the files that match a pattern, in lexical order.
func (Disk) Glob(pattern string) ([]string, error) { return filepath.Glob(pattern) }
