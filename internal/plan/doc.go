// Package plan turns the arguments of a call into TLV and its answer into a
// value, as a method's signature says. A [Plan] is made once, when a library is
// loaded; a call then does no parsing and no look-up of types, and allocates
// nothing but what its buffers need to grow.
//
// It is the engine between package registry, which reads signatures, and package
// loader, which makes calls. [Plan.EncodeFixed] and [Plan.DecodeFixed] serve the
// calls that do nothing but numbers, and leave all others to [Plan.AppendArg] and
// [Plan.Result].
//
// A Plan is immutable and safe for concurrent use.
package plan
