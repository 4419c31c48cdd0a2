package main

// version is the program's.
const version = "0.1.0"
