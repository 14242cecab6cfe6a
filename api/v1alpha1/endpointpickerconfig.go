package v1alpha1

import "slices"

// EndpointPickerConfig is the configuration file of the endpoint picker (EndpointPickerConfig of the
// Gateway API inference extension). It belongs to that project, so it is kept as it was written.
//
// +kubebuilder:validation:Type=object
// +kubebuilder:pruning:PreserveUnknownFields
type EndpointPickerConfig struct {
	// Raw is the configuration as JSON.
	Raw []byte `json:"-"`
}

// MarshalJSON returns the configuration as it was written, or null if there is none.
func (c EndpointPickerConfig) MarshalJSON() ([]byte, error) {
	if len(c.Raw) == 0 {
		return []byte("null"), nil
	}
	return c.Raw, nil
}

// UnmarshalJSON keeps a copy of the configuration.
func (c *EndpointPickerConfig) UnmarshalJSON(data []byte) error {
	if string(data) == "null" {
		c.Raw = nil
		return nil
	}
	c.Raw = slices.Clone(data)
	return nil
}
