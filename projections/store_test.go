package projections_test

import (
	"testing"

	"github.com/sharetrail/sharetrail/projections/projectionstest"
)

func TestStores(t *testing.T) { projectionstest.Each(t, projectionstest.TestStore) }
