// Command types reads an InferencePool as the Gateway API inference extension's own
// types do, refuses fields that they do not have, and prints what they make of it.
package main

import (
	"encoding/json"
	"fmt"
	"os"

	inference "sigs.k8s.io/gateway-api-inference-extension/api/v1"
)

func main() {
	decoder := json.NewDecoder(os.Stdin)
	decoder.DisallowUnknownFields()
	pool := &inference.InferencePool{}
	err := decoder.Decode(pool)
	if err == nil {
		err = json.NewEncoder(os.Stdout).Encode(pool)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
