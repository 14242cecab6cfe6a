package docs

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/wheelhouse-dev/wheelhouse/api/v1alpha1"
	"github.com/wheelhouse-dev/wheelhouse/images"
)

// Archives, images and files of the guide are what there is: those of the catalog, and
// the fixtures that the Makefile builds.
func TestTheLaptopGuideNamesWhatIsBuilt(t *testing.T) {
	root := filepath.Join("..", "..")
	text := func(file string) string {
		data, err := os.ReadFile(filepath.Join(root, file))
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	}
	guide, catalog := text("docs/guides/laptop.md"), text("test/thirdparty/images/main.go")
	for _, image := range images.Catalog {
		catalog += "\"" + image.Name + "\""
	}
	built := regexp.MustCompile(`dist/(?:images|fixtures)/([a-z-]+)\.tar|`+regexp.QuoteMeta(images.Registry)+`/([a-z-]+):(\S+)`).FindAllStringSubmatch(guide, -1)
	if len(built) < 6 {
		t.Fatalf("only %d images in the guide", len(built))
	}
	for _, name := range built {
		if !strings.Contains(catalog, "\""+name[1]+name[2]+"\"") || name[3] != "" && name[3] != images.Version {
			t.Errorf("nobody builds %s", name[0])
		}
	}
	graph := &v1alpha1.DynamoGraphDeployment{}
	if err := yaml.UnmarshalStrict([]byte(text("demo/graphs/without-gpus.yaml")), graph); err != nil {
		t.Fatal(err)
	}
	for name, service := range graph.Spec.Services {
		if service.Resources != nil || !strings.Contains(guide, "docker tag ghcr.io/wheelhouse-dev/standin-runtime:1.0.0 "+service.ExtraPodSpec.MainContainer.Image) {
			t.Errorf("service %s asks for something that the guide does not bring", name)
		}
	}
	for _, command := range []string{"wheelhouse apply -f demo/fleet.yaml --yes", "kubectl apply --server-side -n"} {
		if !strings.Contains(text("demo/run"), command) || !strings.Contains(guide, command) {
			t.Errorf("the demo and the guide do not share the command %q", command)
		}
	}
}
