package mutants

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
)

// refused are the warnings that a mutant must not have: with them no author goes on.
var refused = []string{
	"-Werror=implicit-function-declaration", "-Werror=implicit-int", "-Werror=int-conversion", "-Werror=incompatible-pointer-types",
}

// errStillborn is a mutant that does not compile.
var errStillborn = errors.New("it does not compile")

// read returns the plugin's sources by their names.
func (p *plugin) read(module string) (map[string]string, error) {
	sources := make(map[string]string)
	for _, name := range p.files {
		text, err := os.ReadFile(filepath.Join(module, p.root, name))
		if err != nil {
			return nil, err
		}
		sources[name] = string(text)
	}
	return sources, nil
}

// mutants are all of the plugin's, in the order of its files.
func (p *plugin) mutants(sources map[string]string) (all []Mutant) {
	for _, name := range p.files {
		all = append(all, Mutate(name, sources[name])...)
	}
	return all
}

// with returns the sources with a mutant's change.
func with(sources map[string]string, m *Mutant) map[string]string {
	out := make(map[string]string, len(sources))
	for name, text := range sources {
		if name == m.File {
			text = m.Apply(text)
		}
		out[name] = text
	}
	return out
}

// compile compiles sources into out, by way of a folder where they lie as in the plugin's. The
// same sources are always the same bytes.
func (p *plugin) compile(ctx context.Context, module, folder, out string, sources map[string]string, flags ...string) error {
	for name, text := range sources {
		path := filepath.Join(folder, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return err
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			return err
		}
	}
	args := append([]string{"-std=c11", "-fPIC", "-pthread", "-fvisibility=hidden"}, refused...)
	args = append(args, p.flags...)
	args = append(args, flags...)
	for _, include := range []string{filepath.Join(p.root, filepath.Dir(p.files[0])), p.root, "abi/include", "plugins/sdk/c"} {
		args = append(args, "-I", filepath.Join(module, include))
	}
	cmd := exec.CommandContext(ctx, "cc", append(args, "-o", out, p.files[0], "-lm")...)
	cmd.Dir = folder
	if text, err := cmd.CombinedOutput(); err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return fmt.Errorf("%w: %s", errStillborn, text)
	}
	return nil
}

// object is the code and the data that sources compile to, without debug information.
func (p *plugin) object(ctx context.Context, module, folder string, sources map[string]string) ([]byte, error) {
	out := filepath.Join(folder, "object.o")
	if err := p.compile(ctx, module, folder, out, sources, "-O2", "-g0", "-c"); err != nil {
		return nil, err
	}
	return os.ReadFile(out)
}

// most is how many mutants of a plugin are tried.
const most = 110

// choose takes mutants from everywhere in the sources alike, always the same: those that compile,
// to other code than the plugin's and than that of each other. With fewer than most, all are taken.
func (p *plugin) choose(ctx context.Context, module, folder string) ([]Mutant, error) {
	sources, err := p.read(module)
	if err != nil {
		return nil, err
	}
	original, err := p.object(ctx, module, folder, sources)
	if err != nil {
		return nil, err
	}
	all := p.mutants(sources)
	order := spread(len(all))
	seen := [][]byte{original}
	var chosen []int
	for len(order) > 0 && len(chosen) < most {
		n := min(2, len(order))
		objects, errs := make([][]byte, n), make(chan error, n)
		for i := range n {
			go func() {
				var err error
				objects[i], err = p.object(ctx, module, filepath.Join(folder, strconv.Itoa(i)), with(sources, &all[order[i]]))
				if errors.Is(err, errStillborn) {
					err = nil
				}
				errs <- err
			}()
		}
		for range n {
			err = errors.Join(err, <-errs)
		}
		if err != nil {
			return nil, err
		}
		for i, object := range objects {
			if object != nil && !contains(seen, object) {
				seen = append(seen, object)
				chosen = append(chosen, order[i])
			}
		}
		order = order[n:]
	}
	slices.Sort(chosen)
	out := make([]Mutant, len(chosen))
	for i, at := range chosen {
		out[i] = all[at]
	}
	return out, nil
}

// spread are the numbers below n, in an order in which the first few are far from each other:
// steps of the golden section, or of the next larger number that has no divisor in common.
func spread(n int) []int {
	step := int(float64(n) * 0.6180339887)
	for step < n && gcd(step, n) != 1 {
		step++
	}
	out := make([]int, n)
	for i := range out {
		out[i] = i * step % n
	}
	return out
}

func gcd(a, b int) int {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

func contains(all [][]byte, one []byte) bool {
	return slices.ContainsFunc(all, func(b []byte) bool { return bytes.Equal(b, one) })
}
