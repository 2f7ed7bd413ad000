// Predictions as JSON, one a line, from standard input to Kafka as driftline's plain `Prediction` record.
//
// Usage: predictions -bootstrap HOST:PORT [-topic predictions] < predictions.jsonl
package main

import (
	"bufio"
	"context"
	_ "embed"
	"encoding/json"
	"flag"
	"fmt"
	"math"
	"os"

	"github.com/hamba/avro/v2"
	"github.com/hamba/avro/v2/soe"
	"github.com/twmb/franz-go/pkg/kgo"
)

//go:embed prediction.avsc
var schemaText string

// prediction is one line; ID is the application's own, so that a line sent twice is one prediction.
type prediction struct {
	Deployment string             `json:"deployment"`
	Version    string             `json:"model_version"`
	ID         string             `json:"id"`
	TimeMS     int64              `json:"time_ms"`
	Features   map[string]any     `json:"features"`
	Scores     map[string]float64 `json:"scores"`
	Predicted  *string            `json:"predicted"`
	LatencyMS  *float32           `json:"latency_ms"`
}

func main() {
	bootstrap := flag.String("bootstrap", "127.0.0.1:9092", "address of Kafka")
	topic := flag.String("topic", "predictions", "name of the topic, with its prefix")
	flag.Parse()
	if err := run(*bootstrap, *topic); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(bootstrap, topic string) error {
	codec, err := soe.NewCodec(avro.MustParse(schemaText))
	if err != nil {
		return err
	}
	client, err := kgo.NewClient(
		kgo.SeedBrokers(bootstrap),
		kgo.DefaultProduceTopic(topic),
		// Murmur2 of the key, as Java has it, which driftline holds every record against. Acks of all replicas and
		// idempotence are franz-go's defaults.
		kgo.RecordPartitioner(kgo.StickyKeyPartitioner(nil)),
		kgo.ProducerBatchCompression(kgo.Lz4Compression()),
	)
	if err != nil {
		return err
	}
	defer client.Close()

	ctx, stop := context.WithCancelCause(context.Background())
	defer stop(nil)
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 1<<20)
	sent := 0
	for lines.Scan() && ctx.Err() == nil {
		var made prediction
		if err := json.Unmarshal(lines.Bytes(), &made); err != nil {
			return fmt.Errorf("line %d: %w", sent+1, err)
		}
		value, err := codec.Encode(record(made))
		if err != nil {
			return fmt.Errorf("line %d: %w", sent+1, err)
		}
		// The key is the deployment's name: everything about it meets in one partition.
		client.Produce(ctx, &kgo.Record{Key: []byte(made.Deployment), Value: value}, func(_ *kgo.Record, err error) {
			if err != nil {
				stop(err)
			}
		})
		sent++
	}
	if err := lines.Err(); err != nil {
		return err
	}
	if err := client.Flush(ctx); err != nil {
		return fmt.Errorf("not all were sent: %w", context.Cause(ctx))
	}
	fmt.Printf("sent %d predictions\n", sent)
	return nil
}

// record gives the fields in the types of the schema; a union's value is named by its type.
func record(made prediction) map[string]any {
	return map[string]any{
		"deployment":    made.Deployment,
		"model_version": made.Version,
		"slot":          "champion",
		"id":            map[string]any{"string": made.ID},
		"time_ms":       made.TimeMS,
		"features":      features(made.Features),
		"scores":        scores(made.Scores),
		"predicted":     optional("string", made.Predicted),
		"segments":      map[string]any{},
		"latency_ms":    optional("float", made.LatencyMS),
		"status":        nil,
	}
}

func features(given map[string]any) map[string]any {
	typed := make(map[string]any, len(given))
	for name, value := range given {
		switch value := value.(type) {
		case string:
			typed[name] = map[string]any{"string": value}
		case bool:
			typed[name] = map[string]any{"boolean": value}
		case float64: // every number of JSON
			typed[name] = map[string]any{"double": value}
		default: // null, and what is no feature
			typed[name] = nil
		}
	}
	return typed
}

func scores(given map[string]float64) map[string]any {
	typed := make(map[string]any, len(given))
	for name, value := range given {
		if !math.IsNaN(value) {
			typed[name] = map[string]any{"double": value}
		}
	}
	return typed
}

func optional[T any](kind string, value *T) any {
	if value == nil {
		return nil
	}
	return map[string]any{kind: *value}
}
