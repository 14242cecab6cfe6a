package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/wheelhouse-dev/wheelhouse/internal/fleet"
	"github.com/wheelhouse-dev/wheelhouse/internal/rollout"
)

// fieldFlags say which fields of others a rollout takes over.
type fieldFlags struct {
	force bool
	take  []string
}

func (f *fieldFlags) add(c *cobra.Command) {
	c.Flags().StringArrayVar(&f.take, "take-field", nil, "take over a field that another program owns: KIND/NAMESPACE/NAME:PATH (repeatable)")
	c.Flags().BoolVar(&f.force, "force-conflicts", false, "take over all fields that other programs own")
}

// fields joins the flags with what the fleet file leaves to others.
func (f *fieldFlags) fields(d *rollout.Desired) (rollout.Fields, error) {
	fields := rollout.Fields{Force: f.force, Leave: d.Fleet.LeaveFields}
	for _, text := range f.take {
		ref, err := fleet.ParseFieldRef(text)
		if err != nil {
			return fields, fmt.Errorf("--take-field: %w", err)
		}
		fields.Take = append(fields.Take, ref)
	}
	return fields, nil
}
