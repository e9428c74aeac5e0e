package main

import (
	"context"
	"encoding/binary"
	"errors"
	"net/rpc"
	"os"
	"os/exec"
	"testing"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"
	"google.golang.org/grpc/encoding"
)

// The program itself is the plugin process, when this says so.
const peerCookie = "NYASH_BENCH_PEER"

var handshake = plugin.HandshakeConfig{ProtocolVersion: 1, MagicCookieKey: peerCookie, MagicCookieValue: "peer"}

func pluginSet() map[int]plugin.PluginSet {
	return map[int]plugin.PluginSet{1: {"grpc": &grpcPeer{}}, 2: {"netrpc": &rpcPeer{}}}
}

// servePeer runs the plugin's side in a plugin process.
func servePeer() bool {
	if os.Getenv(peerCookie) == "" {
		return false
	}
	plugin.Serve(&plugin.ServeConfig{
		HandshakeConfig:  handshake,
		VersionedPlugins: pluginSet(),
		GRPCServer:       plugin.DefaultGRPCServer,
		Logger:           hclog.NewNullLogger(),
	})
	return true
}

// rawCodec passes bytes as they are: cheaper than the protocol buffers of an
// ordinary gRPC service, so the comparison favours gRPC.
type rawCodec struct{}

const rawName = "raw"

func init() { encoding.RegisterCodec(rawCodec{}) }

func (rawCodec) Name() string { return rawName }

func (rawCodec) Marshal(v any) ([]byte, error) { return *v.(*[]byte), nil }

func (rawCodec) Unmarshal(data []byte, v any) error {
	*v.(*[]byte) = append([]byte(nil), data...)
	return nil
}

type grpcPeer struct{ plugin.NetRPCUnsupportedPlugin }

// unary serves a method of bytes.
func unary(name string, f func(in []byte) []byte) grpc.MethodDesc {
	return grpc.MethodDesc{
		MethodName: name,
		Handler: func(_ any, _ context.Context, decode func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
			var in []byte
			if err := decode(&in); err != nil {
				return nil, err
			}
			out := f(in)
			return &out, nil
		},
	}
}

func addBytes(in []byte) []byte {
	return binary.LittleEndian.AppendUint64(nil, binary.LittleEndian.Uint64(in)+binary.LittleEndian.Uint64(in[8:]))
}

func (*grpcPeer) GRPCServer(_ *plugin.GRPCBroker, s *grpc.Server) error {
	s.RegisterService(&grpc.ServiceDesc{
		ServiceName: "bench.Bench",
		HandlerType: (*any)(nil),
		Methods: []grpc.MethodDesc{
			unary("Add", addBytes),
			unary("Echo", func(in []byte) []byte { return in }),
		},
	}, new(any))
	return nil
}

func (*grpcPeer) GRPCClient(_ context.Context, _ *plugin.GRPCBroker, conn *grpc.ClientConn) (any, error) {
	return conn, nil
}

type rpcPeer struct{}

func (*rpcPeer) Server(*plugin.MuxBroker) (any, error) { return &rpcServer{}, nil }

func (*rpcPeer) Client(_ *plugin.MuxBroker, c *rpc.Client) (any, error) { return c, nil }

type rpcServer struct{}

// Add adds the two numbers.
func (*rpcServer) Add(in [2]int64, out *int64) error {
	*out = in[0] + in[1]
	return nil
}

// Echo returns what it is given.
func (*rpcServer) Echo(in []byte, out *[]byte) error {
	*out = in
	return nil
}

// startPeer starts a plugin process and returns its client.
func startPeer(name string, version int, protocol plugin.Protocol) (any, *plugin.Client, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, nil, err
	}
	client := plugin.NewClient(&plugin.ClientConfig{
		HandshakeConfig:  handshake,
		VersionedPlugins: map[int]plugin.PluginSet{version: pluginSet()[version]},
		Cmd:              exec.Command(self),
		AllowedProtocols: []plugin.Protocol{protocol},
		Logger:           hclog.NewNullLogger(),
	})
	connection, err := client.Client()
	if err != nil {
		return nil, client, err
	}
	peer, err := connection.Dispense(name)
	return peer, client, err
}

func addGoPlugin(t *table, _, _ string) (end func(), err error) {
	grpcAny, grpcClient, err := startPeer("grpc", 1, plugin.ProtocolGRPC)
	if err != nil {
		return grpcClient.Kill, err
	}
	rpcAny, rpcClient, err := startPeer("netrpc", 2, plugin.ProtocolNetRPC)
	end = func() { grpcClient.Kill(); rpcClient.Kill() }
	if err != nil {
		return end, err
	}
	conn, okGRPC := grpcAny.(*grpc.ClientConn)
	client, okRPC := rpcAny.(*rpc.Client)
	if !okGRPC || !okRPC {
		return end, errors.New("unexpected clients of go-plugin")
	}
	raw := grpc.CallContentSubtype(rawName)
	t.callers[viaGRPC] = func() (caller, error) {
		in := make([]byte, 16)
		binary.LittleEndian.PutUint64(in, 1000)
		binary.LittleEndian.PutUint64(in[8:], 2000)
		return func() bool {
			var out []byte
			err := conn.Invoke(ctx, "/bench.Bench/Add", &in, &out, raw)
			return err == nil && binary.LittleEndian.Uint64(out) == 3000
		}, nil
	}
	t.callers[viaNetRPC] = func() (caller, error) {
		return func() bool {
			var out int64
			err := client.Call("Plugin.Add", [2]int64{1000, 2000}, &out)
			return err == nil && out == 3000
		}, nil
	}
	t.add(workAdd, viaGRPC, func(b *testing.B) {
		var out []byte
		for b.Loop() {
			in := make([]byte, 16)
			binary.LittleEndian.PutUint64(in, 1000)
			binary.LittleEndian.PutUint64(in[8:], 2000)
			if err := conn.Invoke(ctx, "/bench.Bench/Add", &in, &out, raw); err != nil {
				b.Fatal(err)
			}
			check(b, int64(binary.LittleEndian.Uint64(out)), 3000)
		}
	})
	t.add(workAdd, viaNetRPC, func(b *testing.B) {
		for b.Loop() {
			var out int64
			if err := client.Call("Plugin.Add", [2]int64{1000, 2000}, &out); err != nil {
				b.Fatal(err)
			}
			check(b, out, 3000)
		}
	})
	for work, size := range echoes {
		t.add(work, viaGRPC, func(b *testing.B) {
			data := make([]byte, size)
			var out []byte
			for b.Loop() {
				if err := conn.Invoke(ctx, "/bench.Bench/Echo", &data, &out, raw); err != nil || len(out) != size {
					b.Fatal(len(out), err)
				}
			}
		})
		t.add(work, viaNetRPC, func(b *testing.B) {
			data := make([]byte, size)
			for b.Loop() {
				var out []byte
				if err := client.Call("Plugin.Echo", data, &out); err != nil || len(out) != size {
					b.Fatal(len(out), err)
				}
			}
		})
	}
	return end, nil
}
