internal import Logging
internal import NIOCore
internal import Synchronization

/// What all connections of a server share: the bounds, and how much of each is in use.
final class Edge: Sendable {
    let options: HTTPOptions
    let authorizer: Authorizer
    let logger: Logger
    private let connections = Atomic<Int>(0)
    private let adminConnections = Atomic<Int>(0)
    private let refusedConnections = Atomic<Int>(0)
    private let draining = Atomic<Bool>(false)
    private let inFlight = Atomic<Int>(0)
    private let buffered = Atomic<Int>(0)
    private let shed = Atomic<Int>(0)

    init(options: HTTPOptions, logger: Logger) {
        self.options = options
        self.logger = logger
        authorizer = Authorizer(keys: options.apiKeys)
    }

    // All counters are relaxed: each is a number of its own, and nothing else is published by it.

    var isDraining: Bool { draining.load(ordering: .relaxed) }
    func beginDraining() { draining.store(true, ordering: .relaxed) }

    var connectionCount: Int { connections.load(ordering: .relaxed) }
    var refusedConnectionCount: Int { refusedConnections.load(ordering: .relaxed) }

    /// Counts a new connection; false, and not counted, when there are too many.
    func connectionOpened(isAdmin: Bool) -> Bool {
        let before =
            isAdmin
            ? adminConnections.add(1, ordering: .relaxed).oldValue
            : connections.add(1, ordering: .relaxed).oldValue
        if before < options.connectionsMax { return true }
        connectionClosed(isAdmin: isAdmin)
        refusedConnections.add(1, ordering: .relaxed)
        return false
    }

    func connectionClosed(isAdmin: Bool) {
        if isAdmin {
            adminConnections.subtract(1, ordering: .relaxed)
        } else {
            connections.subtract(1, ordering: .relaxed)
        }
    }

    var requestsInFlight: Int { inFlight.load(ordering: .relaxed) }
    var bufferedBytes: Int { buffered.load(ordering: .relaxed) }
    var shedCount: Int { shed.load(ordering: .relaxed) }

    /// Takes a place for a request that a task will answer; false when all are taken.
    func enter() -> Bool { take(1, from: inFlight, limit: options.requestsInFlightMax) }
    func leave() { inFlight.subtract(1, ordering: .relaxed) }

    /// Takes memory for a body from the shared budget; false when it is used up.
    func reserve(bytes: Int) -> Bool {
        take(bytes, from: buffered, limit: options.bufferedBytesMax)
    }
    func release(bytes: Int) { buffered.subtract(bytes, ordering: .relaxed) }

    private func take(_ amount: Int, from counter: borrowing Atomic<Int>, limit: Int) -> Bool {
        if counter.add(amount, ordering: .relaxed).newValue <= limit { return true }
        counter.subtract(amount, ordering: .relaxed)
        shed.add(1, ordering: .relaxed)
        return false
    }
}
