package verifier

// What a document's lists hold at the least, in bytes of JSON: a hash is 44
// digits and two quotes, and no object in a list is shorter than an absence with
// one sibling. Nothing else stands in a list.
const (
	hashText   = 46
	minObject  = 100
	maxNesting = 8
)

// bounded reports whether a document can be decoded in memory in proportion to
// its size. A list of five million {} is a file of 15 MB and some gigabytes of
// entries, and nothing of it is signed by anybody the reader knows.
//
// It looks at lists alone: whether the document is JSON at all is for the
// decoder to say.
func bounded(doc []byte) bool {
	type container struct {
		list  bool
		start int // of the element that is being read
	}
	var open []container
	for i := 0; i < len(doc); i++ {
		top := len(open) - 1
		switch doc[i] {
		case '"':
			for i++; i < len(doc) && doc[i] != '"'; i++ {
				if doc[i] == '\\' {
					i++
				}
			}
		case '[', '{':
			if open = append(open, container{doc[i] == '[', i + 1}); len(open) > maxNesting {
				return false
			}
		case ',', ']', '}':
			if top < 0 {
				return false
			}
			empty := doc[i] == ']' && open[top].start == i
			if open[top].list && !empty && !element(doc[open[top].start:i]) {
				return false
			}
			open[top].start = i + 1
			if doc[i] != ',' {
				open = open[:top]
			}
		}
	}
	return true
}

// element reports whether an element of a list is long enough for what it is.
func element(b []byte) bool {
	return len(b) == hashText && b[0] == '"' || len(b) >= minObject && b[0] == '{'
}
