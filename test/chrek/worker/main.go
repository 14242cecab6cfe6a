// Command worker is what the tests of checkpoints take one of: a process whose state a
// cold start cannot imitate. GET /state tells it.
//
//go:debug multipathtcp=0
package main

import (
	"bufio"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// state is what the process holds.
type state struct {
	Boot     string `json:"boot"` // drawn once, at the start of the process
	Count    int64  `json:"count"`
	Heap     string `json:"heap"`
	Changed  string `json:"changed"` // an open file among the image's
	Volume   string `json:"volume"`  // an open file in an emptyDir
	Deleted  string `json:"deleted"` // an open file without a name
	Shared   string `json:"shared"`  // a file in /dev/shm
	Gone     bool   `json:"gone"`    // whether a file of the image that was deleted is
	Child    string `json:"child"`   // what a child process counts
	Restored bool   `json:"restored"`
	Signal   string `json:"signal"`
	Host     string `json:"host"`
	PID      int    `json:"pid"`
	// Found are files that workers have left where files outlive a container, by the name
	// of the worker.
	Found []string `json:"found"`
}

func main() {
	if len(os.Args) > 1 && os.Args[1] == "child" {
		child()
		return
	}
	if len(os.Args) > 1 && os.Args[1] == "sidecar" {
		fmt.Fprintln(os.Stderr, "worker:", beside())
		os.Exit(1)
	}
	w, err := start()
	if err == nil {
		http.HandleFunc("GET /state", w.tell)
		http.HandleFunc("GET /end", func(http.ResponseWriter, *http.Request) { os.Exit(7) })
		err = http.ListenAndServe(":8080", nil)
	}
	fmt.Fprintln(os.Stderr, "worker:", err)
	os.Exit(1)
}

// beside is a program beside a worker, which knows when it was started.
func beside() error {
	boot := rand.Text()
	http.HandleFunc("GET /state", func(out http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(out).Encode(state{Boot: boot}) // who asked has gone
	})
	return http.ListenAndServe(":9090", nil)
}

// child answers each line with a number, one more each time.
func child() {
	lines := bufio.NewScanner(os.Stdin)
	for n := 1; lines.Scan(); n++ {
		fmt.Println(n)
	}
}

type worker struct {
	boot                            string
	count                           atomic.Int64
	heap                            []byte
	changed, volume, deleted, share *os.File
	mutex                           sync.Mutex // of the child's pipes
	ask                             io.Writer
	answer                          *bufio.Scanner
}

func start() (*worker, error) {
	megabytes, err := strconv.Atoi(os.Getenv("HEAP_MB"))
	if err != nil {
		return nil, err
	}
	if watched := os.Getenv("WATCH"); watched != "" {
		if err := watch(watched); err != nil {
			return nil, err
		}
	}
	w := &worker{boot: rand.Text(), heap: make([]byte, megabytes<<20)}
	if _, err := rand.Read(w.heap); err != nil {
		return nil, err
	}
	for path, file := range map[string]**os.File{"/state/changed": &w.changed, "/data/volume": &w.volume, "/state/deleted": &w.deleted, "/dev/shm/shared": &w.share} {
		if *file, err = os.Create(path); err != nil {
			return nil, err
		}
		if _, err := (*file).WriteString(path + " " + rand.Text() + "\n"); err != nil {
			return nil, err
		}
	}
	for _, dir := range volumes {
		if err := os.WriteFile(filepath.Join(dir, "boot-"+w.boot), nil, 0o600); err != nil {
			return nil, err
		}
	}
	if err := os.Remove("/state/deleted"); err != nil {
		return nil, err
	}
	if err := os.Remove("/state/of-the-image"); err != nil {
		return nil, err
	}
	child := exec.CommandContext(context.Background(), os.Args[0], "child")
	answer, err := child.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if w.ask, err = child.StdinPipe(); err != nil {
		return nil, err
	}
	w.answer = bufio.NewScanner(answer)
	go w.tick()
	return w, child.Start()
}

var volumes = []string{"/data", "/dev/shm"}

func found() []string {
	var names []string
	for _, dir := range volumes {
		files, err := filepath.Glob(filepath.Join(dir, "boot-*"))
		if err != nil {
			return []string{err.Error()}
		}
		for _, file := range files {
			names = append(names, strings.TrimPrefix(filepath.Base(file), "boot-"))
		}
	}
	return names
}

// watch asks the kernel to tell of changes, which nobody reads.
func watch(path string) error {
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC)
	if err != nil {
		return err
	}
	_, err = unix.InotifyAddWatch(fd, path, unix.IN_CREATE)
	return err
}

func (w *worker) tick() {
	for {
		time.Sleep(50 * time.Millisecond)
		if n := w.count.Add(1); n%10 == 0 {
			fmt.Println("tick", n)
		}
	}
}

func (w *worker) tell(out http.ResponseWriter, _ *http.Request) {
	sum := sha256.Sum256(w.heap)
	_, present := os.Stat("/state/of-the-image")
	_, marker := os.Stat("/tmp/dynamo-restored")
	signal, _ := os.ReadFile("/signal/answer") // it is empty until there is one
	host, _ := os.Hostname()
	s := state{
		Boot: w.boot, Count: w.count.Load(), Heap: hex.EncodeToString(sum[:]),
		Changed: content(w.changed), Volume: content(w.volume), Deleted: content(w.deleted), Shared: content(w.share),
		Gone: present != nil, Child: w.askChild(), Restored: marker == nil, Signal: string(signal), Host: host, PID: os.Getpid(), Found: found(),
	}
	_ = json.NewEncoder(out).Encode(s) // who asked has gone
}

func content(file *os.File) string {
	text, err := io.ReadAll(io.NewSectionReader(file, 0, 1<<20))
	if err != nil {
		return err.Error()
	}
	return strings.TrimSpace(string(text))
}

func (w *worker) askChild() string {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	if _, err := fmt.Fprintln(w.ask); err != nil {
		return err.Error()
	}
	if !w.answer.Scan() {
		return "the child has ended"
	}
	return w.answer.Text()
}
