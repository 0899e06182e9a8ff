package api

// Access is the table of roles and operations.
var Access = access
