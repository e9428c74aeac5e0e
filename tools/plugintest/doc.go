// Package plugintest finds faults in plugins, for the people who write them; it
// is the code behind the command plugin-tester. The plugin runs in worker
// processes (internal/isolate), so that a crash or a hang is a finding and the run
// goes on.
//
// A [Tester] runs checks on one library and collects a [Report]. Every [Finding]
// has a stable code, which [Rules] explains and docs/tester.md lists. A Tester is
// for one goroutine. Package report writes reports as text, JSON, JUnit and SARIF.
//
// # Adding a check
//
// A check is one value of type check: its name, its summary, what it needs and a
// function. A new one needs a new file with that value, and one line in the list
// checks (run.go), which is the order in which they run; the command line and its
// help follow from the list. A finding with a new code also needs a line in rules
// (rules.go) and a plugin in tests/faulty that shows it.
//
//	var echoCheck = check{name: "echo", summary: "…", run: func(e *env) error {
//		return e.each(func(m *method, s argSample) error {
//			return e.withWorker(workerOptions{}, func(w *worker) error { … })
//		})
//	}}
//
// What a check works with, from the outside in:
//
//   - env (env.go): the configuration, the plugin's boxes and methods, the report,
//     and withWorker, which runs a function with the plugin in a worker of its own
//     and reports a worker that exits as a finding.
//   - shared (env.go): all that one check leaves for later ones: which arguments
//     methods take (learn.go), which methods are broken or slow.
//   - worker (worker.go): one process with the plugin, its instances and output.
//     call.go makes calls on it, answer.go checks what they answer whatever was
//     asked, exit.go finds out why it exited, hooks.go is all that is used of
//     internal/isolate's hooks for testers.
//   - host (host.go): the host that a library in a worker calls. hostcall.go answers,
//     hostbox.go knows what may be called, hostholds.go who holds what, hostvalue.go which
//     values are answered, and hostfound.go what the library does wrong.
package plugintest
