package generate

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/internal/suggest"
	"github.com/nyash-plugins/nyash-go/loader"
	"github.com/nyash-plugins/nyash-go/registry"
)

// HostBoxes are the named boxes of a host, or all of its nyash.toml where none is named,
// in the order of the file. It loads their libraries. Where a library cannot be loaded,
// what nyash.toml says is enough if it gives the box's methods and all ids; a warning
// then tells that methods and docs of the library's own are missing.
func HostBoxes(ctx context.Context, host *loader.Host, names []string) (types []*registry.Type, warnings []string, err error) {
	if names, err = chosen(names, host.Boxes(), configured(host.Config())); err != nil {
		return nil, nil, err
	}
	var errs []error
	for _, name := range names {
		t, err := host.Type(ctx, name)
		if err != nil {
			var known error
			if t, known = declared(host.Config(), name, err); known != nil {
				errs = append(errs, known)
				continue
			}
			warnings = append(warnings, fmt.Sprintf("%s is generated from nyash.toml alone, without what its library adds: %v", name, err))
		}
		types = append(types, t)
	}
	if len(errs) > 0 {
		return nil, warnings, errors.Join(errs...)
	}
	return types, warnings, nil
}

// declared is a box as nyash.toml alone declares it, where its library failed to load.
// The error is the load's where that is not the library's absence but a contradiction.
func declared(config *registry.Config, name string, failed error) (*registry.Type, error) {
	box, ok := config.Box(name)
	var contradiction *registry.Error
	if !ok || errors.As(failed, &contradiction) || errors.Is(failed, context.Canceled) || errors.Is(failed, context.DeadlineExceeded) {
		return nil, failed
	}
	if !box.MethodsDeclared {
		return nil, fmt.Errorf("%s: nyash.toml declares no methods, and its library cannot be asked: %w", name, failed)
	}
	t, err := box.Bind(nil, abi.Description{})
	if err != nil {
		return nil, fmt.Errorf("%s: nyash.toml says too little (%w), and its library cannot be asked: %w", name, err, failed)
	}
	return t, nil
}

func configured(config *registry.Config) []string {
	all := make([]string, len(config.Boxes))
	for i, b := range config.Boxes {
		all[i] = b.Name
	}
	return all
}

// chosen are the boxes of known that are named, in known's order; those of preset where
// none is named.
func chosen(named, known, preset []string) ([]string, error) {
	if len(named) == 0 {
		if len(preset) == 0 {
			return nil, errors.New("nyash.toml has no box")
		}
		return preset, nil
	}
	for _, name := range named {
		if !slices.Contains(known, name) {
			return nil, fmt.Errorf("%w: %s%s", loader.ErrNoBox, name, suggest.DidYouMean(name, known))
		}
	}
	return slices.DeleteFunc(slices.Clone(known), func(name string) bool { return !slices.Contains(named, name) }), nil
}
