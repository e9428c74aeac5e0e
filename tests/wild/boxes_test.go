package wild

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/nyash-plugins/nyash-go/loader"
	"github.com/nyash-plugins/nyash-go/tests/hosttest"
)

// TestBoxesOfOneLibrary uses the four boxes of a library of each generation from Go:
// births and finis of each, a singleton, and errors that are results.
func TestBoxesOfOneLibrary(t *testing.T) {
	for _, p := range programs {
		if p.dir != "http" {
			continue
		}
		for _, isolation := range []loader.Isolation{loader.IsolationNone, loader.IsolationProcess} {
			t.Run(p.name+", "+isolation.String(), func(t *testing.T) {
				h, err := loader.Open(filepath.Join(p.place(t), "nyash.toml"), append(hosttest.Options(), loader.WithIsolation(isolation))...)
				require.NoError(t, err)
				defer h.Close()
				server := hosttest.New(t, h, "ServerBox")
				hosttest.Call(t, server, "start", 80)
				client := hosttest.New(t, h, "ClientBox")
				assert.Same(t, client, hosttest.New(t, h, "ClientBox"), "it is a singleton")

				_, err = server.Call(t.Context(), "accept")
				require.EqualError(t, err, "ServerBox.accept: nobody waits")
				answer := box(t, client, "get", "mem://80/a")
				request := box(t, server, "accept")
				assert.Equal(t, "RequestBox", request.Name())
				response := hosttest.New(t, h, "ResponseBox")
				hosttest.Call(t, response, "write", "a page")
				hosttest.Call(t, request, "respond", response)
				assert.Equal(t, "a page", hosttest.Call(t, answer, "readBody").Any())

				require.NoError(t, response.Close())
				_, err = request.Call(t.Context(), "respond", response)
				require.ErrorIs(t, err, loader.ErrClosed)
				require.NoError(t, client.Close())
				require.NoError(t, server.Close())
				_, err = client.Call(t.Context(), "get", "mem://80/a")
				require.EqualError(t, err, "ClientBox.get: connection refused", "the server has ended, and the singleton has not")
			})
		}
	}
}

func box(t *testing.T, b *loader.Box, method string, args ...any) *loader.Box {
	t.Helper()
	made, err := hosttest.Call(t, b, method, args...).Box()
	require.NoError(t, err)
	return made
}
