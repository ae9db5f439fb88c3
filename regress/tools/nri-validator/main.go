// nri-validator: the NRI project's default validator, with the project's own
// plugin stub, as a plugin that connects to a socket.  It rejects containers
// that got OCI hooks or sysctls of a plugin.
package main

import (
	"context"
	"flag"
	"log"

	"github.com/containerd/nri/pkg/api"
	"github.com/containerd/nri/pkg/stub"
	validator "github.com/containerd/nri/plugins/default-validator"
)

type plugin struct {
	*validator.DefaultValidator
}

func (p *plugin) Synchronize(_ context.Context, pods []*api.PodSandbox,
	ctrs []*api.Container) ([]*api.ContainerUpdate, error) {
	log.Printf("synchronized: %d pods, %d containers", len(pods), len(ctrs))
	return nil, nil
}

func (p *plugin) PostStartContainer(_ context.Context, pod *api.PodSandbox,
	ctr *api.Container) error {
	log.Printf("started: %s/%s/%s %v", pod.GetNamespace(), pod.GetName(),
		ctr.GetName(), ctr.GetArgs())
	return nil
}

func main() {
	path := flag.String("socket", api.DefaultSocketPath, "NRI socket")
	flag.Parse()
	p := &plugin{validator.NewDefaultValidator(
		&validator.DefaultValidatorConfig{
			Enable:                  true,
			RejectOCIHookAdjustment: true,
			RejectSysctlAdjustment:  true,
		})}
	s, err := stub.New(p, stub.WithPluginName("validator"),
		stub.WithPluginIdx("90"), stub.WithSocketPath(*path))
	if err != nil {
		log.Fatal(err)
	}
	log.Print(s.Run(context.Background()))
}
