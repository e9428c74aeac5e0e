// Package scaffold makes the folder of a new plugin: a counter in the language
// of the author's choice, with what builds, runs and tests it, and a copy of the
// SDK. `nyash new` is it with flags.
//
// The templates are in templates/, those for all languages in templates/all. A
// file's name there loses .tmpl, dot_ stands for a leading dot, and source for
// the name of the box. Their delimiters are [[ and ]], because most of the
// languages need braces for themselves.
package scaffold
