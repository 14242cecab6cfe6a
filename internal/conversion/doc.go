// Package conversion turns objects of v1alpha1 into v1beta1 and back. Every function is one of a value:
// nothing is read, and no argument is changed.
//
// Two functions per kind say in one version what they can of the other: betaX of v1alpha1's words and
// alphaX of v1beta1's. What the other version has no word for travels in annotations that this package
// alone knows: on a v1beta1 object they hold what only v1alpha1 can say, and the reverse. They are
// hints, not commands. One is followed only as far as it leaves alone what the object itself says,
// which is compared each time; so an edit in either version wins, whatever an annotation claims.
package conversion
