//go:build !linux

package main

import (
	"fmt"
	"os"
)

func main() {
	fmt.Fprintln(os.Stderr, "drydock: a Kubernetes node needs Linux; run this in a Linux virtual machine")
	os.Exit(1)
}
