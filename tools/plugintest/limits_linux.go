package plugintest

// limitsWork tells whether workers keep limits.
const limitsWork = true
