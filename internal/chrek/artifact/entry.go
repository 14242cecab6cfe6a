package artifact

// Entry is what is known of one artifact where it is stored.
type Entry struct {
	ID string `json:"id"`
	// Size is what it takes of the storage, in bytes.
	Size int64 `json:"size"`
	// NeededBy is who means it, "" if nobody does.
	NeededBy string `json:"neededBy,omitempty"`
	// Problem is why nothing can be restored from it, "" if none is known.
	Problem  string    `json:"problem,omitempty"`
	Manifest *Manifest `json:"manifest,omitempty"`
}
