// Package calls is the bookkeeping for plugins that call their host (docs/abi.md,
// "Calling the host"): the numbers by which a library knows the boxes of others and who
// holds those ([Handles]), which call is part of which chain ([Frame]), who waits for whom
// ([Waits]), and answers that are kept for a caller with too small a buffer ([Kept]).
//
// It knows neither libraries nor boxes: loader gives it instances and asks it.
package calls
