// Package validate holds the rules for graphs and components that go beyond
// their schema. It is pure. The controllers apply the rules before they render,
// whether or not an admission webhook has applied them before.
//
// Errors carry the field's path and what was found there. Warnings are
// sentences about fields that have no effect.
package validate
