// Package web is the pages: one file for each, and the small JSON answers that their scripts ask for.
//
// A handler reads the request, checks who may, makes one call into the core, and fills a view of package templates.
// What goes wrong it returns: package api turns errors into answers, once. Package web decides nothing about money,
// keys or sound, and talks to no other server. Begin with [New]; the routes stand in api/router.go.
package web
