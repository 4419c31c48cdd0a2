// Package api is the instance's HTTP side: every route in one list (router.go), what stands around every request
// (middleware.go), and the one map from errors to answers (respond.go).
//
// It holds no handler of its own: the pages are in api/web, the log-in in api/auth, and what other servers ask for comes
// as handlers from their rooms. Begin with [New].
package api
