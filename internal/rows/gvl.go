package rows

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// VendorList is an IAB Global Vendor List, version 2 or 3, as far as it says who
// the vendors are (https://github.com/InteractiveAdvertisingBureau, TCFv2).
type VendorList struct {
	Version int
	Updated time.Time
	Vendors []Vendor // in order of their ids
}

// Vendor is one entry. The list gives no country and no address.
type Vendor struct {
	ID        int    `json:"id"`
	Name      string `json:"name"`
	PolicyURL string `json:"policyUrl"` // version 2
	URLs      []struct {
		LangID  string `json:"langId"`
		Privacy string `json:"privacy"`
	} `json:"urls"` // version 3
	Deleted string `json:"deletedDate"`
}

// RecipientID is the vendor's id in a ledger.
func (v Vendor) RecipientID() string { return fmt.Sprintf("org:iab-gvl-%d", v.ID) }

// Policy is where the vendor's own privacy statement is.
func (v Vendor) Policy() string {
	if v.PolicyURL == "" && len(v.URLs) > 0 {
		return v.URLs[0].Privacy
	}
	return v.PolicyURL
}

// maxList bounds what is read of a vendor list; real ones have under 2 MB.
const maxList = 64 << 20

// GVL reads a vendor list.
func GVL(r io.Reader) (*VendorList, error) {
	raw, err := io.ReadAll(io.LimitReader(r, maxList))
	if err != nil {
		return nil, fmt.Errorf("reading the vendor list: %w", err)
	}
	var file struct {
		Specification int               `json:"gvlSpecificationVersion"`
		Version       int               `json:"vendorListVersion"`
		Updated       time.Time         `json:"lastUpdated"`
		Vendors       map[string]Vendor `json:"vendors"`
	}
	if err := json.Unmarshal(raw, &file); err != nil {
		return nil, fmt.Errorf("reading the vendor list: it must be the JSON that the IAB publishes: %w", err)
	}
	if file.Specification < 2 || file.Specification > 3 || file.Vendors == nil {
		return nil, fmt.Errorf("reading the vendor list: gvlSpecificationVersion must be 2 or 3 and vendors must be there; use a file such as vendor-list.json of the IAB")
	}
	list := &VendorList{Version: file.Version, Updated: file.Updated}
	for key, v := range file.Vendors {
		if fmt.Sprint(v.ID) != key {
			return nil, fmt.Errorf("reading the vendor list: vendors.%s has the id %d; get the file again", strings.ToValidUTF8(key, "?"), v.ID)
		}
		v.Name = strings.TrimSpace(v.Name)
		list.Vendors = append(list.Vendors, v)
	}
	slices.SortFunc(list.Vendors, func(a, b Vendor) int { return a.ID - b.ID })
	return list, nil
}
