package shell

import (
	"mvdan.cc/sh/v3/interp"
	"mvdan.cc/sh/v3/syntax"
)

// tailMark stands before a command that the shell process itself becomes. No
// script can type it: it is not valid as a word.
const tailMark = "\x00tail"

// replaceTail marks the last command of a script, if it is a plain program
// call. Everything that could still need the shell afterwards (a trap, a
// redirection, a pipeline, a background job, a function) is left alone.
func replaceTail(script *syntax.File) {
	if needsShellAtEnd(script) {
		return
	}
	markLast(script.Stmts)
}

func needsShellAtEnd(script *syntax.File) bool {
	needs := false
	syntax.Walk(script, func(node syntax.Node) bool {
		switch n := node.(type) {
		case *syntax.FuncDecl:
			needs = true
		case *syntax.Stmt:
			needs = needs || n.Background || n.Coprocess
		case *syntax.CallExpr:
			needs = needs || (len(n.Args) > 0 && n.Args[0].Lit() == "trap")
		}
		return !needs
	})
	return needs
}

func markLast(stmts []*syntax.Stmt) {
	if len(stmts) == 0 {
		return
	}
	last := stmts[len(stmts)-1]
	if last.Negated || len(last.Redirs) > 0 {
		return
	}
	switch cmd := last.Cmd.(type) {
	case *syntax.BinaryCmd:
		if cmd.Op == syntax.AndStmt || cmd.Op == syntax.OrStmt {
			markLast([]*syntax.Stmt{cmd.Y})
		}
	case *syntax.Block:
		markLast(cmd.Stmts)
	case *syntax.CallExpr:
		markCall(cmd)
	}
}

// markCall puts the mark before `program args`, or in place of `exec`.
func markCall(call *syntax.CallExpr) {
	if len(call.Args) == 0 || len(call.Assigns) > 0 {
		return
	}
	mark := &syntax.Word{Parts: []syntax.WordPart{&syntax.Lit{Value: tailMark}}}
	name := call.Args[0].Lit()
	switch {
	case name == "exec" && len(call.Args) > 1:
		call.Args[0] = mark
	case name != "" && !interp.IsBuiltin(name):
		call.Args = append([]*syntax.Word{mark}, call.Args...)
	}
}
