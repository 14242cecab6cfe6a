package manager

import (
	"context"
	"encoding/json"
	"os"
	"regexp"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// shows matches an object, as JSON without its bookkeeping of fields.
func shows(ts *testscript.TestScript, neg bool, args []string) {
	object, err := client(ts, args[0], args[1]).Get(context.Background(), args[2], metav1.GetOptions{})
	ts.Check(err)
	object.SetManagedFields(nil)
	text, err := json.Marshal(object.Object)
	ts.Check(err)
	matched, err := regexp.Match(args[3], text)
	ts.Check(err)
	if matched == neg {
		ts.Fatalf("%s matches is %v: %s", args[3], matched, text)
	}
}

func uids(ts *testscript.TestScript, _ bool, args []string) {
	data, err := json.MarshalIndent(identities(ts, args[1], args[2:]), "", " ")
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), data, 0o600))
}

func sameUIDs(ts *testscript.TestScript, _ bool, args []string) {
	before := map[string]string{}
	ts.Check(json.Unmarshal([]byte(ts.ReadFile(args[0])), &before))
	if len(before) == 0 {
		ts.Fatalf("nothing was there before")
	}
	now := identities(ts, args[1], args[2:])
	for object, uid := range before {
		if now[object] != uid {
			ts.Fatalf("%s was %s and is %q", object, uid, now[object])
		}
	}
}

func identities(ts *testscript.TestScript, namespace string, of []string) map[string]string {
	out := map[string]string{}
	if len(of) == 0 {
		of = []string{"configmaps", "services", "deployments"}
	}
	for _, resource := range of {
		resource, only, _ := strings.Cut(resource, "/")
		list, err := client(ts, resource, namespace).List(context.Background(), metav1.ListOptions{})
		ts.Check(err)
		for _, item := range list.Items {
			if only == "" || only == item.GetName() {
				out[resource+"/"+item.GetName()] = string(item.GetUID())
			}
		}
	}
	return out
}
