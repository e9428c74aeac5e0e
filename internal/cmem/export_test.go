package cmem

// GuardForTest is guard.
var GuardForTest = guard
