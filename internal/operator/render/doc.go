// Package render turns a graph or a component, with the operator's
// configuration, into the Kubernetes objects that run it. It is pure: the same
// values give the same objects, and nothing is read or written.
//
// Environment of the main container, weakest first: what the operator knows
// about the pod and its surroundings, defaults of the component type,
// spec.envs of the graph, mainContainer.env of the service, envs of the
// service. A service's own mainContainer.env therefore beats a graph-wide
// variable, which published operators of this API did the other way round:
// the more specific wish should win. The user's order is kept, except where a
// variable is referred to as $(NAME) before it is defined.
//
// The user's pod spec and main container are the starting point, and the
// defaults fill what they leave open. Lists with a key (env, ports, volumes,
// volume mounts) are merged by that key; probes, command and args are taken
// whole from one side. Zero values that a user wrote are kept wherever the API
// can tell them from absent ones.
package render
