package check

import (
	"encoding/json"
	"errors"
	"fmt"
	goruntime "runtime"
	"slices"
	"sync"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/client-go/kubernetes/scheme"

	"github.com/wheelhouse-dev/wheelhouse/internal/chart"
	"github.com/wheelhouse-dev/wheelhouse/internal/fleet"
)

// kinds are the types of Kubernetes itself, CRDs included.
var kinds = sync.OnceValue(func() *runtime.Scheme {
	s := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{scheme.AddToScheme, apiextensionsv1.AddToScheme} {
		if err := add(s); err != nil {
			panic(err) // two types of one name, which no input can cause
		}
	}
	return s
})

var strict = sync.OnceValue(func() runtime.Decoder {
	return serializer.NewCodecFactory(kinds(), serializer.EnableStrict).UniversalDeserializer()
})

// decoder reads each rendered object into the type that Kubernetes has for it,
// once.
type decoder struct {
	mutex sync.Mutex
	done  map[string]typed
}

type typed struct {
	object runtime.Object
	err    error
}

func newDecoder() *decoder { return &decoder{done: map[string]typed{}} }

// decode returns nil for a kind that is not Kubernetes' own.
func (d *decoder) decode(o chart.Object) (runtime.Object, error) {
	if t, ok := d.known(o.Content); ok {
		return t.object, t.err
	}
	object, err := read(o)
	if runtime.IsNotRegisteredError(err) {
		object, err = nil, unknownKind(o)
	}
	d.mutex.Lock()
	defer d.mutex.Unlock()
	d.done[o.Content] = typed{object, err}
	return object, err
}

// read parses the YAML once. Kubernetes' decoder does it twice, the second time
// for keys that are there twice; only where there are some, it is asked to.
func read(o chart.Object) (runtime.Object, error) {
	data, err := o.JSON()
	if err != nil {
		data = []byte(o.Content)
	}
	object, _, err := strict().Decode(data, nil, nil)
	if err != nil {
		return nil, err
	}
	return object, nil
}

func (d *decoder) known(content string) (typed, bool) {
	d.mutex.Lock()
	defer d.mutex.Unlock()
	t, ok := d.done[content]
	return t, ok
}

// decodeAll uses all processors: it is most of the work of a check.
func (d *decoder) decodeAll(in Input) {
	var group sync.WaitGroup
	work := make(chan chart.Object)
	for range goruntime.GOMAXPROCS(0) {
		group.Go(func() {
			for object := range work {
				// The error is kept for whoever asks for this object.
				_, _ = d.decode(object)
			}
		})
	}
	for _, rendered := range in.Rendered {
		for _, object := range rendered.Objects {
			work <- object
		}
	}
	close(work)
	group.Wait()
}

// unknownKind is an error only in the groups that Kubernetes has for itself.
func unknownKind(o chart.Object) error {
	if !kinds().IsGroupRegistered(o.Group()) {
		return nil
	}
	gv, err := schema.ParseGroupVersion(o.APIVersion)
	if err != nil {
		return fmt.Errorf("apiVersion %q is not GROUP/VERSION", o.APIVersion)
	}
	if !kinds().IsVersionRegistered(gv) {
		return fmt.Errorf("%s is no API of Kubernetes any more, or yet", o.APIVersion)
	}
	return fmt.Errorf("%s is no kind of Kubernetes in %s", o.Kind, o.APIVersion)
}

// objectsOfType returns the objects of a release that are of type T.
func objectsOfType[T runtime.Object](in Input, rel fleet.Release, named ...string) []T {
	var out []T
	for _, o := range objectsOf(in, rel) {
		if !slices.Contains(named, o.Kind) {
			continue
		}
		object, err := in.decoded.decode(o)
		if t, ok := object.(T); ok && err == nil {
			out = append(out, t)
		}
	}
	return out
}

// reasons splits what the decoder says into one sentence per mistake.
func reasons(err error) []string {
	var wrong *json.UnmarshalTypeError
	if errors.As(err, &wrong) {
		return []string{fmt.Sprintf("%s must be of type %s, found %s", wrong.Field, wrong.Type, wrong.Value)}
	}
	several, ok := runtime.AsStrictDecodingError(err)
	if !ok {
		return []string{err.Error()}
	}
	var out []string
	for _, e := range several.Errors() {
		out = append(out, e.Error())
	}
	return out
}
