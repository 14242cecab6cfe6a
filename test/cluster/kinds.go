package cluster

import (
	"context"
	"fmt"
	"io/fs"
	"time"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/wheelhouse-dev/wheelhouse/charts"
)

// InstallKinds creates our CRDs and waits until they are served. The client's
// scheme must know CRDs.
func InstallKinds(c client.Client) error {
	names, err := fs.Glob(charts.FS(), "crds/definitions/*.yaml")
	if err != nil {
		return err
	}
	for _, name := range names {
		data, err := fs.ReadFile(charts.FS(), name)
		if err != nil {
			return err
		}
		if _, err := InstallDefinition(c, data); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

// InstallDefinition creates a CRD from its YAML and waits until it is served.
func InstallDefinition(c client.Client, data []byte) (*apiextensionsv1.CustomResourceDefinition, error) {
	crd := &apiextensionsv1.CustomResourceDefinition{}
	if err := yaml.Unmarshal(data, crd); err != nil {
		return nil, err
	}
	if err := c.Create(context.Background(), crd); err != nil {
		return nil, err
	}
	return crd, established(c, crd)
}

func established(c client.Client, crd *apiextensionsv1.CustomResourceDefinition) error {
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(poll) {
		if err := c.Get(context.Background(), client.ObjectKeyFromObject(crd), crd); err != nil {
			return err
		}
		for _, condition := range crd.Status.Conditions {
			if condition.Type == apiextensionsv1.Established && condition.Status == apiextensionsv1.ConditionTrue {
				return nil
			}
		}
	}
	return fmt.Errorf("%s is not established after %s", crd.Name, patience)
}
