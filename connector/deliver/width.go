package deliver

// width is how many requests are worth having in flight. A request costs much more
// than what it carries, so a few that are full do better than many that are not:
// the width grows while requests are rather full, and none could be made besides.
type width struct{ least, most, now float64 }

// narrow is how many requests are worth it in any case. Then what arrives behind a
// request need not wait for its answer, however far the destination is.
const narrow = 8

func newWidth(lanes int) width {
	least := float64(min(narrow, lanes))
	return width{least: least, most: float64(lanes), now: least}
}

// learn follows a request whose batch was as full as fullness says, 1 being full,
// while all or not all were out that may be. A whole round of full ones doubles the
// width.
func (w *width) learn(fullness float64, all bool) {
	switch {
	case fullness > 1./2 && all:
		w.now = min(w.most, w.now+1)
	case fullness < 1./8:
		w.now = max(w.least, w.now-1./4)
	}
}
