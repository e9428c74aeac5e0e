package tester

// limitsWork tells whether workers keep limits.
const limitsWork = true
