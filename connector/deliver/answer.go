package deliver

import (
	"net/http"
	"strconv"
	"time"
)

// answer is what became of a request.
type answer struct {
	status   int       // 0 when there was no whole answer
	err      error     // nil when the destination has all changes
	report   *report   // on each change; may be nil
	refused  bool      // the destination will never take what it speaks of
	overload bool      // the destination has too much
	resume   time.Time // no request before it; zero when nothing was said
}

// longestHold bounds for how long a destination is believed that it wants no
// requests.
const longestHold = time.Hour

// readAnswer reads an answer, which does not mean success, to a request of n
// changes.
func readAnswer(resp *http.Response, text []byte, n int, now time.Time) *answer {
	a := &answer{status: resp.StatusCode, refused: refusesBody(resp.StatusCode), report: parseReport(resp.Header, text, n)}
	switch resp.StatusCode {
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		a.overload = true
		a.resume = retryAfter(resp.Header.Get("Retry-After"), now)
	}
	return a
}

// refusesBody reports the statuses by which a destination says that it will never
// take this body. All others mean that the set-up or the hour is wrong.
func refusesBody(status int) bool {
	switch status {
	case http.StatusBadRequest, http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType, http.StatusUnprocessableEntity:
		return true
	}
	return false
}

// retryAfter reads the value of that header: seconds, or a date. The zero time
// means that there is none, or none to come.
func retryAfter(value string, now time.Time) time.Time {
	var wait time.Duration
	if seconds, err := strconv.ParseUint(value, 10, 32); err == nil {
		wait = time.Duration(seconds) * time.Second
	} else if date, err := http.ParseTime(value); err == nil {
		wait = date.Sub(now)
	}
	if wait <= 0 {
		return time.Time{}
	}
	return now.Add(min(wait, longestHold))
}
