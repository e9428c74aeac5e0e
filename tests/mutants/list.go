package mutants

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// class says whether a tester could tell a mutant from the plugin.
type class string

const (
	killable   class = "killable"
	equivalent class = "equivalent" // no caller can see a difference
	noOracle   class = "no-oracle"  // it does something else that no description forbids
)

// verdict is what was judged of a mutant before the tester has seen it.
type verdict struct {
	class  class
	reason string
}

// chosen reads which mutants of a plugin are tried, and finds them in its sources.
func (p *plugin) chosen(sources map[string]string) ([]Mutant, error) {
	have := make(map[string]Mutant)
	for _, m := range p.mutants(sources) {
		have[m.ID()] = m
	}
	var chosen []Mutant
	err := lines(p.name+".txt", func(id, change string) error {
		m, ok := have[id]
		if !ok || m.Change() != change {
			return fmt.Errorf("%s: the source has no mutant %s (%s): choose anew with -update, and judge what is new", p.name, id, change)
		}
		chosen = append(chosen, m)
		return nil
	})
	return chosen, err
}

// verdicts reads what was judged of the plugin's mutants. Those that are not listed can be killed.
func (p *plugin) verdicts() (map[string]verdict, error) {
	all := make(map[string]verdict)
	err := lines("equivalent.txt", func(id, text string) error {
		name, id, _ := strings.Cut(id, "/")
		kind, reason, _ := strings.Cut(text, "\t")
		if name == p.name {
			all[id] = verdict{class(kind), reason}
		}
		return nil
	})
	return all, err
}

// lines calls read with the parts of each line of a file of testdata, before and after a tab.
func lines(file string, read func(id, text string) error) error {
	f, err := os.Open(filepath.Join("testdata", file))
	if err != nil {
		return err
	}
	defer f.Close()
	in := bufio.NewScanner(f)
	for in.Scan() {
		line := in.Text()
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		id, text, ok := strings.Cut(line, "\t")
		if !ok {
			return fmt.Errorf("%s: no tab in %q", file, line)
		}
		if err := read(id, text); err != nil {
			return err
		}
	}
	return in.Err()
}
