import Testing

/// Whole-program tests: the built binary as a child process, real sockets, real stores, `kill -9`.
/// One at a time, because each of them keeps a machine of two cores busy.
@Suite(.serialized) enum Integration {}
