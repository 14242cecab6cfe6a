// Command apply rolls out a fleet file from a program: it plans, shows what would be
// done, and does it.
//
//	go run ./pkg/wheelhouse/examples/apply fleet.yaml
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"

	"github.com/wheelhouse-dev/wheelhouse/pkg/wheelhouse"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: apply FLEET.yaml")
		os.Exit(1)
	}
	if err := rollOut(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "Error:", err)
		os.Exit(1)
	}
}

func rollOut(file string) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	fleet, err := wheelhouse.Load(file, wheelhouse.Options{})
	if err != nil {
		return err
	}
	cluster, err := fleet.Connect(ctx)
	if err != nil {
		return err
	}
	defer cluster.Close()
	plan, err := cluster.Plan(ctx, wheelhouse.PlanOptions{})
	if err != nil {
		return err
	}
	if !plan.Changes() {
		fmt.Println("nothing to do")
		return nil
	}
	for _, step := range plan.Steps {
		fmt.Println(step.Action, step.ID, step.Reason)
		for _, change := range step.Changes {
			fmt.Println(" ", change)
		}
	}
	result, err := cluster.Apply(ctx, plan, wheelhouse.ApplyOptions{
		Notify: func(e wheelhouse.Event) { fmt.Println(e.Step, e.State, e.Message) },
	})
	var consent *wheelhouse.ConsentError
	switch {
	case errors.As(err, &consent):
		return fmt.Errorf("ask a person first: %w", err)
	case err != nil:
		return err
	}
	fmt.Println(len(result.Outcomes), "steps done on", cluster.Address())
	return nil
}
