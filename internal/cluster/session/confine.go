package session

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// confinement keeps a session to some namespaces: what else is asked is answered
// here, as the API server answers who may not, and never leaves. Whoever runs the
// session, what lies in those namespaces can so move nothing outside them.
type confinement struct {
	// base is the path under which the API is served.
	base       string
	namespaces []string
}

// Confine keeps the session to some namespaces, besides what anybody may ask:
// what is served, and what one may. It is called before the session is used.
func (s *Session) Confine(namespaces []string) {
	confined := &confinement{namespaces: namespaces}
	if address, err := url.Parse(s.config.Host); err == nil {
		confined.base = address.Path
	}
	s.retries.confined = confined
}

// Confined lists the namespaces that the session keeps to; nil for none.
func (s *Session) Confined() []string {
	if c := s.retries.confined; c != nil {
		return c.namespaces
	}
	return nil
}

// refuse answers what is outside; nil lets a request leave.
func (c *confinement) refuse(request *http.Request, body []byte) (*http.Response, error) {
	if c == nil || c.within(request.URL.Path) || c.makesOwn(request, body) {
		return nil, nil
	}
	status := metav1.Status{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Status"}, Status: metav1.StatusFailure,
		Reason: metav1.StatusReasonForbidden, Code: http.StatusForbidden,
		Message: "forbidden: the fleet keeps to " + Spaces(c.namespaces),
	}
	answer, err := json.Marshal(status)
	if err != nil {
		return nil, err
	}
	return &http.Response{
		Status: http.StatusText(http.StatusForbidden), StatusCode: http.StatusForbidden, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: http.Header{"Content-Type": {runtime.ContentTypeJSON}}, Body: io.NopCloser(bytes.NewReader(answer)), ContentLength: int64(len(answer)), Request: request,
	}, nil
}

// makesOwn tells a request that makes one of the namespaces themselves.
func (c *confinement) makesOwn(request *http.Request, body []byte) bool {
	var made metav1.PartialObjectMetadata
	return request.Method == http.MethodPost && request.URL.Path == c.base+"/api/v1/namespaces" &&
		json.Unmarshal(body, &made) == nil && slices.Contains(c.namespaces, made.Name)
}

// Spaces names namespaces in a sentence.
func Spaces(namespaces []string) string {
	if len(namespaces) == 1 {
		return "namespace " + namespaces[0]
	}
	return "the namespaces " + strings.Join(namespaces, ", ")
}

// within tells what may leave, by the path alone: a list of all namespaces has no
// namespace in it.
func (c *confinement) within(path string) bool {
	if strings.Contains(path, "/../") || strings.HasSuffix(path, "/..") {
		return false
	}
	parts := strings.Split(strings.Trim(strings.TrimPrefix(path, c.base), "/"), "/")
	switch {
	case parts[0] == "api" && len(parts) > 2:
		parts = parts[2:]
	case parts[0] == "apis" && len(parts) > 3:
		group, rest := parts[1], parts[3:]
		if len(rest) == 1 && (group == "authorization.k8s.io" || group == "authentication.k8s.io") {
			return strings.HasPrefix(rest[0], "selfsubject")
		}
		parts = rest
	default:
		return true // what is served, in which version, and how well
	}
	return len(parts) > 1 && parts[0] == "namespaces" && slices.Contains(c.namespaces, parts[1])
}
