import Testing

/// Whole-program tests: the built binary as a child process, real sockets, real stores, `kill -9`.
/// One at a time, because each of them keeps a machine of two cores busy.
@Suite(.serialized) enum Integration {}

/// The same over a mock Kafka cluster in the test process. Beside the others: these tests mostly
/// wait for the group's time-outs.
@Suite(.serialized) enum KafkaIntegration {}
