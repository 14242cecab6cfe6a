// Package lifecycle is the one way in which the operator looks after an object
// of ours, whatever its kind: is its namespace ours to serve, does it exist, is
// it going away; then its phases, in order, and one write of its status.
//
// A kind is a value: see Kind. Its folder says what the phases are and so
// reads as the life story of its object.
package lifecycle
