// Command client is what the end-to-end test runs in pods: a worker registers
// itself in etcd under a lease and serves requests from a JetStream stream; an
// asker finds it through etcd and asks it. Both are told the addresses by the
// variables that the operator gives to workloads.
package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	clientv3 "go.etcd.io/etcd/client/v3"
)

const (
	registry = "/workers/"
	stream   = "REQUESTS"
	// large is more than the server takes by default (1 MiB), as prompt embeddings are.
	large = 10 << 20
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "client:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	if len(args) != 1 {
		return fmt.Errorf("usage: client worker|ask")
	}
	messages, closeMessages, err := connect(ctx)
	if err != nil {
		return err
	}
	defer closeMessages()
	store, err := clientv3.New(clientv3.Config{
		Endpoints: strings.Split(os.Getenv("ETCD_ENDPOINTS"), ","), DialTimeout: 5 * time.Second, Context: ctx,
	})
	if err != nil {
		return fmt.Errorf("connect to etcd: %w", err)
	}
	defer store.Close()
	switch args[0] {
	case "worker":
		return work(ctx, messages, store)
	case "ask":
		ctx, cancel := context.WithTimeout(ctx, time.Minute)
		defer cancel()
		return ask(ctx, messages, store)
	default:
		return fmt.Errorf("unknown role %q", args[0])
	}
}

func connect(ctx context.Context) (jetstream.JetStream, func(), error) {
	connection, err := nats.Connect(os.Getenv("NATS_SERVER"), nats.RetryOnFailedConnect(true), nats.MaxReconnects(-1))
	if err != nil {
		return nil, nil, fmt.Errorf("connect to NATS: %w", err)
	}
	messages, err := jetstream.New(connection)
	if err != nil {
		return nil, nil, err
	}
	for {
		_, err = messages.CreateOrUpdateStream(ctx, jetstream.StreamConfig{
			Name: stream, Subjects: []string{"requests.>", "answers.>"}, MaxMsgSize: -1,
		})
		if err == nil {
			return messages, connection.Close, nil
		}
		fmt.Fprintln(os.Stderr, "waiting for JetStream:", err)
		select {
		case <-ctx.Done():
			return nil, nil, err
		case <-time.After(time.Second):
		}
	}
}

// work registers the pod and answers with the digest of what it was sent.
func work(ctx context.Context, messages jetstream.JetStream, store *clientv3.Client) error {
	name, err := os.Hostname()
	if err != nil {
		return err
	}
	consumer, err := messages.CreateOrUpdateConsumer(ctx, stream, jetstream.ConsumerConfig{
		Durable: "worker", FilterSubject: "requests." + name, AckPolicy: jetstream.AckExplicitPolicy,
	})
	if err != nil {
		return fmt.Errorf("consume: %w", err)
	}
	consuming, err := consumer.Consume(func(m jetstream.Msg) {
		sum := sha256.Sum256(m.Data())
		_, err := messages.Publish(ctx, "answers."+m.Headers().Get("Id"), []byte(hex.EncodeToString(sum[:])))
		if err == nil {
			err = m.Ack()
		}
		fmt.Println("answered", len(m.Data()), "bytes, error:", err)
	})
	if err != nil {
		return fmt.Errorf("consume: %w", err)
	}
	defer consuming.Stop()

	lease, err := store.Grant(ctx, 10)
	if err != nil {
		return fmt.Errorf("lease: %w", err)
	}
	if _, err := store.Put(ctx, registry+name, "requests."+name, clientv3.WithLease(lease.ID)); err != nil {
		return fmt.Errorf("register: %w", err)
	}
	alive, err := store.KeepAlive(ctx, lease.ID)
	if err != nil {
		return fmt.Errorf("keep the lease: %w", err)
	}
	fmt.Println("registered as", name)
	for range alive {
	}
	_, err = store.Revoke(context.WithoutCancel(ctx), lease.ID)
	return err
}

func ask(ctx context.Context, messages jetstream.JetStream, store *clientv3.Client) error {
	subject, err := findWorker(ctx, store)
	if err != nil {
		return err
	}
	id := fmt.Sprint(time.Now().UnixNano())
	noted, err := store.Put(ctx, "/asked/"+id, subject)
	if err != nil {
		return fmt.Errorf("note the question: %w", err)
	}
	consumer, err := messages.OrderedConsumer(ctx, stream, jetstream.OrderedConsumerConfig{FilterSubjects: []string{"answers." + id}})
	if err != nil {
		return fmt.Errorf("consume: %w", err)
	}
	request := nats.NewMsg(subject)
	request.Header.Set("Id", id)
	request.Data = bytes.Repeat([]byte("0123456789abcdef"), large/16)
	published, err := messages.PublishMsg(ctx, request)
	if err != nil {
		return fmt.Errorf("publish: %w", err)
	}
	answer, err := consumer.Next(jetstream.FetchMaxWait(30 * time.Second))
	if err != nil {
		return fmt.Errorf("no answer from %s: %w", subject, err)
	}
	sum := sha256.Sum256(request.Data)
	if string(answer.Data()) != hex.EncodeToString(sum[:]) {
		return fmt.Errorf("wrong answer from %s: %s", subject, answer.Data())
	}
	fmt.Printf("%s answered %d bytes correctly; message %d of the stream, revision %d of the store\n",
		strings.TrimPrefix(subject, "requests."), len(request.Data), published.Sequence, noted.Header.Revision)
	return nil
}

// findWorker waits until one is registered.
func findWorker(ctx context.Context, store *clientv3.Client) (subject string, err error) {
	now, err := store.Get(ctx, registry, clientv3.WithPrefix(), clientv3.WithLimit(1))
	if err != nil {
		return "", fmt.Errorf("find a worker: %w", err)
	}
	if len(now.Kvs) > 0 {
		return string(now.Kvs[0].Value), nil
	}
	for change := range store.Watch(ctx, registry, clientv3.WithPrefix(), clientv3.WithRev(now.Header.Revision+1)) {
		for _, event := range change.Events {
			if event.Type == clientv3.EventTypePut {
				return string(event.Kv.Value), nil
			}
		}
	}
	return "", fmt.Errorf("no worker registered: %w", ctx.Err())
}
