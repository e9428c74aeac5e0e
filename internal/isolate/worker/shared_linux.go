package worker

import "github.com/nyash-plugins/nyash-go/internal/isolate/shm"

func sharedMemory(socket, memory uintptr) (transport, error) { return shm.NewWorker(socket, memory) }
