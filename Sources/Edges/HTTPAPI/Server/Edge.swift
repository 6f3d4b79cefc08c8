internal import Logging
internal import MeteringModel
internal import MeteringPorts
internal import NIOCore
internal import NIOHTTP1
internal import Synchronization

/// What all connections of a server share: the bounds, and how much of each is in use.
final class Edge: Sendable {
    let options: HTTPOptions
    let authorizer: Authorizer
    private let trees: TreeGuard
    private let controlLimiter: RateLimiter?
    private let checkLimiter: RateLimiter?
    let logger: Logger
    private let connections = Atomic<Int>(0)
    private let adminConnections = Atomic<Int>(0)
    private let refusedConnections = Atomic<Int>(0)
    private let draining = Atomic<Bool>(false)
    private let inFlight = Atomic<Int>(0)
    private let buffered = Atomic<Int>(0)
    private let bufferedBulk = Atomic<Int>(0)
    private let shed = Atomic<Int>(0)

    init(options: HTTPOptions, access: any AccessControl, logger: Logger) {
        self.options = options
        self.logger = logger
        authorizer = Authorizer(access: access)
        trees = TreeGuard(access: access)
        let rate = options.rateLimitPerSecond ?? 200
        controlLimiter = RateLimiter(
            ratePerSecond: rate, burst: options.rateLimitBurst ?? rate * 2)
        checkLimiter = RateLimiter(
            ratePerSecond: options.checkRateLimitPerSecond,
            burst: options.checkRateLimitPerSecond * 2)
    }

    /// Whether a request may be received: its key, its scope, its rate.
    /// - Parameter address: of the client; asked for only where no key says who it is.
    /// - Returns: who asks.
    func admit(
        _ facts: HeadFacts, _ route: Route, _ parameters: [String], isLoopback: Bool,
        address: () -> String?
    ) throws(Problem) -> Principal {
        let principal = try authorizer.admit(
            facts.authorization, to: route, isLoopback: isLoopback)
        if route.isOfCustomer, let customer = parameters.first {
            try trees.check(CustomerID(rawValue: customer), principal)
        }
        let isLocal = principal.id == Principal.local.id
        // A web page that a browser on this machine shows must not act where no key is needed.
        if isLocal, facts.hasOrigin, route.method != .GET {
            throw Problem(
                status: 403, code: "cross_origin",
                detail: "without keys, requests of web pages are refused; make a key first")
        }
        let limiter: RateLimiter?
        switch route.rate {
        case .none: limiter = nil
        case .control where isLocal && options.rateLimitPerSecond == nil: limiter = nil
        case .control: limiter = controlLimiter
        case .check: limiter = checkLimiter
        }
        guard let limiter else { return principal }
        let isNamed = !isLocal && route.scope != nil
        let caller = isNamed ? "key " + principal.id : "address " + (address() ?? "")
        if let wait = limiter.take(from: caller, now: options.clock.now()) {
            throw limiter.problem(wait: wait)
        }
        return principal
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
    var bufferedBytes: Int {
        buffered.load(ordering: .relaxed) + bufferedBulk.load(ordering: .relaxed)
    }
    var shedCount: Int { shed.load(ordering: .relaxed) }

    /// Takes a place for a request that a task will answer; false when all are taken.
    func enter() -> Bool { take(1, from: inFlight, limit: options.requestsInFlightMax) }
    func leave() { inFlight.subtract(1, ordering: .relaxed) }

    /// Takes memory for a body from a budget; false when it is used up.
    func reserve(bytes: Int, from budget: BodyBudget) -> Bool {
        switch budget {
        case .shared: take(bytes, from: buffered, limit: options.bufferedBytesMax)
        case .bulk: take(bytes, from: bufferedBulk, limit: options.importBytesMax)
        }
    }

    /// Gives back what a request's body took.
    func release(_ exchange: Exchange) {
        if exchange.reservedBytes == 0 { return }
        switch exchange.budget {
        case .shared: buffered.subtract(exchange.reservedBytes, ordering: .relaxed)
        case .bulk: bufferedBulk.subtract(exchange.reservedBytes, ordering: .relaxed)
        }
    }

    private func take(_ amount: Int, from counter: borrowing Atomic<Int>, limit: Int) -> Bool {
        if counter.add(amount, ordering: .relaxed).newValue <= limit { return true }
        counter.subtract(amount, ordering: .relaxed)
        shed.add(1, ordering: .relaxed)
        return false
    }
}

/// What a body's memory is counted against.
enum BodyBudget: Sendable { case shared, bulk }
