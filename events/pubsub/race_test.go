//go:build race

package pubsub_test

func init() { raced = true }
