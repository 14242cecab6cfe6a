// Package trace says which values decide what a chart renders. It does not read
// templates: it gives one value another content, renders again and compares, so
// what it says is what happens, through includes, loops and computed keys. It
// is pure, and the same question has the same answer.
package trace
