// Command grove reads an object as Grove's own types do, refuses fields that they
// do not have, and prints what they make of it.
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"

	"github.com/ai-dynamo/grove/operator/api/core/v1alpha1"
)

func main() {
	if err := run(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(in io.Reader, out io.Writer) error {
	data, err := io.ReadAll(in)
	if err != nil {
		return err
	}
	var named struct{ Kind string }
	if err := json.Unmarshal(data, &named); err != nil {
		return err
	}
	object, known := map[string]any{
		"PodCliqueSet":          &v1alpha1.PodCliqueSet{},
		"PodClique":             &v1alpha1.PodClique{},
		"PodCliqueScalingGroup": &v1alpha1.PodCliqueScalingGroup{},
	}[named.Kind]
	if !known {
		return fmt.Errorf("Grove has no kind %q", named.Kind)
	}
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(object); err != nil {
		return fmt.Errorf("%s: %w", named.Kind, err)
	}
	return json.NewEncoder(out).Encode(object)
}
