// Package tester finds what is wrong with a plugin, for the people who write
// plugins. It runs the plugin in workers (internal/isolate), so that a crash or a
// hang is a finding and the run goes on.
//
// A [Tester] runs checks on one library and collects a [Report]. Every
// [Finding] has a stable code, which [Rules] explains and docs/tester.md lists.
// A Tester is for one goroutine.
package plugintest
