package trillianlog

import (
	"context"
	"fmt"

	"github.com/google/trillian"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"
)

// maxTreeName is the width of DisplayName in Trillian's SQL schemas; the
// embedded server would take more, and the ledger could not move later.
const maxTreeName = 20

func (l *Log) findTree(ctx context.Context, admin trillian.TrillianAdminClient, id int64, name string) (tree *trillian.Tree, err error) {
	if id != 0 {
		err = l.call(ctx, "GetTree", func() error {
			tree, err = admin.GetTree(ctx, &trillian.GetTreeRequest{TreeId: id})
			return err
		})
		if err != nil {
			return nil, fmt.Errorf("reading tree %d: %w", id, err)
		}
		if tree.TreeType != trillian.TreeType_PREORDERED_LOG || tree.Deleted {
			return nil, fmt.Errorf("tree %d is a %v (deleted: %t), not a live PREORDERED_LOG: name another tree", id, tree.TreeType, tree.Deleted)
		}
		return tree, nil
	}
	if len(name) == 0 || len(name) > maxTreeName {
		return nil, fmt.Errorf("the tree name %q has %d bytes: choose one of 1 to %d", name, len(name), maxTreeName)
	}
	found, err := l.treesNamed(ctx, admin, name)
	if err != nil {
		return nil, err
	}
	switch len(found) {
	case 0:
		return l.createTree(ctx, admin, name)
	case 1:
		return found[0], nil
	}
	return nil, fmt.Errorf("%d trees are called %q: name the right one by its id", len(found), name)
}

func (l *Log) treesNamed(ctx context.Context, admin trillian.TrillianAdminClient, name string) (found []*trillian.Tree, err error) {
	var resp *trillian.ListTreesResponse
	err = l.call(ctx, "ListTrees", func() (err error) {
		resp, err = admin.ListTrees(ctx, &trillian.ListTreesRequest{}, callOptions...)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("listing trees: %w", err)
	}
	for _, t := range resp.Tree {
		if t.DisplayName == name && t.TreeType == trillian.TreeType_PREORDERED_LOG {
			found = append(found, t)
		}
	}
	return found, nil
}

// createTree does not try again after an answer that may have got lost: a
// second tree of the same name would stop the next start. Starting again finds
// the first.
func (l *Log) createTree(ctx context.Context, admin trillian.TrillianAdminClient, name string) (*trillian.Tree, error) {
	tree, err := admin.CreateTree(ctx, &trillian.CreateTreeRequest{Tree: &trillian.Tree{
		TreeState:       trillian.TreeState_ACTIVE,
		TreeType:        trillian.TreeType_PREORDERED_LOG,
		DisplayName:     name,
		Description:     "sharetrail ledger",
		MaxRootDuration: durationpb.New(0), // required; 0: no new root without new leaves
	}})
	if err != nil {
		return nil, fmt.Errorf("creating tree %q: %w", name, err)
	}
	return tree, nil
}

// initialise stores the root of the empty tree unless there is a root. A crash
// after createTree leaves a tree without one, which the next start finds here.
func (l *Log) initialise(ctx context.Context) error {
	size, _, err := l.Root(ctx)
	if status.Code(err) == codes.FailedPrecondition {
		err = l.call(ctx, "InitLog", func() error {
			_, err := l.client.InitLog(ctx, &trillian.InitLogRequest{LogId: l.treeID})
			if status.Code(err) == codes.AlreadyExists {
				return nil // an earlier try whose answer got lost
			}
			return err
		})
		if err == nil {
			size, _, err = l.Root(ctx)
		}
	}
	l.size = size
	return err
}
