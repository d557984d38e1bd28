// Command istiod-standalone is Istio's own discovery server for a machine without Kubernetes: configuration from a folder of YAML
// files, discovery in plain text, no certificate authority, no webhooks.
//
// Istio's pilot-discovery can read a folder, too, but since 1.31 it does not start without a client for Kubernetes. This gives the same
// server Istio's own client of an empty cluster in memory. All else is Istio's code, and its features are set by its environment
// variables.
package main

import (
	"flag"
	"fmt"
	"os"
	"os/signal"
	"reflect"
	"syscall"
	"time"
	"unsafe"

	"istio.io/istio/pilot/pkg/bootstrap"
	"istio.io/istio/pkg/config/constants"
	"istio.io/istio/pkg/kube"
	"istio.io/istio/pkg/log"
)

func main() {
	options := read()
	if err := serve(options); err != nil {
		fmt.Fprintln(os.Stderr, "istiod-standalone:", err)
		os.Exit(1)
	}
}

// read is the command line.
func read() *bootstrap.PilotArgs {
	options := bootstrap.NewPilotArgs()
	flag.StringVar(&options.RegistryOptions.FileDir, "config", "", "the folder of YAML files that is the configuration")
	flag.StringVar(&options.MeshConfigFile, "mesh", "", "the file of the mesh's own settings (MeshConfig)")
	flag.StringVar(&options.ServerOptions.GRPCAddr, "grpc", "127.0.0.1:15010", "where proxies are told their configuration")
	flag.StringVar(&options.ServerOptions.HTTPAddr, "http", "127.0.0.1:15080", "where it says that it is ready")
	flag.StringVar(&options.ServerOptions.MonitoringAddr, "monitor", "127.0.0.1:15014", "where its metrics are")
	flag.Parse()
	if options.RegistryOptions.FileDir == "" || options.MeshConfigFile == "" {
		flag.Usage()
		os.Exit(2)
	}
	options.RegistryOptions.KubeOptions.DomainSuffix = constants.DefaultClusterLocalDomain
	options.RegistryOptions.KubeOptions.ClusterID = "Kubernetes"
	options.NetworksConfigFile = "/nonexistent"
	options.ServerOptions.TLSOptions.TLSMinVersion = bootstrap.TLSMinVersion1_2
	options.ShutdownDuration = time.Second
	// A proxy that is told to connect anew in the midst of a test would be a fault of nobody's.
	options.KeepaliveOptions.MaxServerConnectionAge = 24 * time.Hour
	return options
}

// serve runs the server until a signal ends it.
func serve(options *bootstrap.PilotArgs) error {
	if err := log.Configure(log.DefaultOptions()); err != nil {
		return err
	}
	if err := options.Complete(); err != nil {
		return err
	}
	server, err := bootstrap.NewServer(options, withEmptyCluster)
	if err != nil {
		return err
	}
	stop := make(chan struct{})
	failed := make(chan error, 1)
	go func() {
		if err := server.Start(stop); err != nil {
			failed <- err
		}
	}()
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM)
	select {
	case err := <-failed:
		return err
	case <-signals:
	}
	close(stop)
	server.WaitUntilCompletion()
	return nil
}

// withEmptyCluster sets a field that has no other way to be set: the server would make a client of its own, and find no cluster.
func withEmptyCluster(server *bootstrap.Server) {
	field := reflect.ValueOf(server).Elem().FieldByName("kubeClient")
	var client kube.Client = kube.NewFakeClient()
	reflect.NewAt(field.Type(), unsafe.Pointer(field.UnsafeAddr())).Elem().Set(reflect.ValueOf(&client).Elem())
}
