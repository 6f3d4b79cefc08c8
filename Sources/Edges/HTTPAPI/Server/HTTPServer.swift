internal import Glibc
internal import Logging
internal import MeteringPorts
internal import NIOCore
internal import NIOHTTP1
internal import NIOPosix
internal import NIOSSL
internal import Synchronization

/// The HTTP edge: the API on one port, metrics and health on another, on event loops of its own.
///
/// Life: `start` and `startAdmin` in any order, then `drain` once. `drain` ends everything.
package final class HTTPServer: Sendable {
    private struct State {
        var loops: [EventLoopSeat] = []
        var api: (any Channel)?
        var admin: (any Channel)?
        var tls: TLSContexts?
        var watching: Task<Void, Never>?
        var isDraining = false
    }

    /// One event loop: what its connections share, and its counters, readable from anywhere.
    private struct EventLoopSeat: Sendable {
        var eventLoop: any EventLoop
        var state: NIOLoopBound<LoopState>
        var metrics: HTTPMetrics
        var ticking: RepeatedTask
    }

    private let services: HTTPServices
    private let edge: Edge
    private let group: MultiThreadedEventLoopGroup
    private let apiRouter: Router
    private let state = Mutex(State())

    package init(services: HTTPServices, options: HTTPOptions) {
        self.services = services
        edge = Edge(options: options, access: services.access, logger: services.logger)
        group = MultiThreadedEventLoopGroup(numberOfThreads: max(1, options.eventLoopCount))
        apiRouter = Router(RouteTable.api(services, options))
    }

    /// Listens for API requests; port 0 takes a free one.
    /// - Returns: the address that is listened on.
    /// - Throws: `HTTPServerError` when the address or the certificate cannot be used.
    package func start(host: String, port: Int) async throws -> (host: String, port: Int) {
        let tls = try edge.options.tls.map { try TLSContexts($0) }
        let channel = try await listen(
            host: host, port: port, router: apiRouter, isAdmin: false, tls: tls)
        let watching = tls.map { watch($0) }
        state.withLock { state in
            state.api = channel
            state.tls = tls
            state.watching = watching
        }
        return Self.address(of: channel, host, port)
    }

    /// Listens for `/metrics`, `/healthz` and `/readyz`.
    package func startAdmin(host: String, port: Int) async throws -> (host: String, port: Int) {
        let table = RouteTable.admin(
            services, isDraining: { [edge] in edge.isDraining },
            metrics: { [weak self] in self?.metricsText() ?? "" })
        let channel = try await listen(
            host: host, port: port, router: Router(table), isAdmin: true, tls: nil)
        state.withLock { $0.admin = channel }
        return Self.address(of: channel, host, port)
    }

    /// Prometheus text of the edge's own counters; `/metrics` here already has it.
    package func metricsText() -> String {
        let loops = state.withLock { $0.loops.map(\.metrics) }
        return HTTPMetricsText.render(loops: loops, router: apiRouter, edge: edge)
    }

    /// Looks at the certificate's files now, which otherwise happens every `tlsCheckSeconds`.
    /// - Returns: whether new connections get another certificate.
    @discardableResult
    package func reloadCertificate() -> Bool {
        state.withLock { $0.tls }?.reload(services.logger) ?? false
    }

    private func watch(_ tls: TLSContexts) -> Task<Void, Never> {
        let pause = Duration.seconds(max(1, edge.options.tlsCheckSeconds))
        let logger = services.logger
        return Task {
            while (try? await Task.sleep(for: pause)) != nil { tls.reload(logger) }
        }
    }

    /// Ends the server. In this order: `/readyz` says no; nothing new is accepted; requests under
    /// way are answered with `Connection: close`, for at most `timeout`; what is left is cut; the
    /// admin port closes; the threads end. A second call does nothing.
    package func drain(timeout: Duration) async {
        edge.beginDraining()
        let (loops, api, admin) = state.withLock { state in
            defer { state.isDraining = true }
            return state.isDraining ? ([], nil, nil) : (state.loops, state.api, state.admin)
        }
        if loops.isEmpty {
            try? await group.shutdownGracefully()
            return
        }
        state.withLock { $0.watching }?.cancel()
        try? await api?.close().get()
        each(loops) { $0.connections { !$0.isAdmin }.forEach { $0.drain() } }
        let deadline = ContinuousClock.now + timeout
        while edge.connectionCount > 0, ContinuousClock.now < deadline {
            try? await Task.sleep(for: .milliseconds(5))
        }
        let cut = edge.connectionCount
        if cut > 0 {
            services.logger.warning("closing HTTP connections that did not end in time: \(cut)")
        }
        try? await admin?.close().get()
        each(loops) { $0.connections { _ in true }.forEach { $0.closeNow() } }
        for loop in loops { loop.ticking.cancel() }
        try? await group.shutdownGracefully()
    }

    private func each(
        _ loops: [EventLoopSeat], _ body: @escaping @Sendable (LoopState) -> Void
    ) {
        for loop in loops { loop.eventLoop.execute { body(loop.state.value) } }
    }

    // MARK: Listening

    private func listen(
        host: String, port: Int, router: Router, isAdmin: Bool, tls: TLSContexts?
    ) async throws -> any Channel {
        let seats = try await seatLoops()
        let states = Dictionary(
            uniqueKeysWithValues: seats.map { (ObjectIdentifier($0.eventLoop), $0.state) })
        let edge = self.edge
        let bootstrap = ServerBootstrap(group: group)
            .serverChannelOption(.backlog, value: edge.options.backlog)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
            .childChannelOption(.allowRemoteHalfClosure, value: true)
            .childChannelOption(.maxMessagesPerRead, value: 4)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    guard let loop = states[ObjectIdentifier(channel.eventLoop)]?.value else {
                        return
                    }
                    try Self.furnish(
                        channel, edge: edge, router: router, loop: loop, isAdmin: isAdmin, tls: tls)
                }
            }
        do {
            return try await bootstrap.bind(host: host, port: port).get()
        } catch {
            let isInUse = (error as? IOError)?.errnoCode == EADDRINUSE
            throw HTTPServerError(
                message: isInUse
                    ? "\(host):\(port) is in use by another program"
                    : "cannot listen on \(host):\(port): \(error)",
                isAddressInUse: isInUse, isAdmin: isAdmin)
        }
    }

    private static func furnish(
        _ channel: any Channel, edge: Edge, router: Router, loop: LoopState, isAdmin: Bool,
        tls: TLSContexts?
    ) throws {
        let pipeline = channel.pipeline.syncOperations
        guard edge.connectionOpened(isAdmin: isAdmin) else {
            try pipeline.addHandler(RefusalHandler(isSilent: tls != nil))
            return
        }
        if let tls { try pipeline.addHandler(NIOSSLServerHandler(context: tls.current)) }
        var limits = NIOHTTPDecoderLimitConfiguration()
        limits.maxHeaderFieldSize = edge.options.headBytesMax
        limits.maxHeaderListSize = edge.options.headBytesMax
        limits.maxHeaderFieldCount = 100
        let decoder = HTTPRequestDecoder(
            leftOverBytesStrategy: .dropBytes, limitConfiguration: limits)
        try pipeline.addHandlers(
            ByteToMessageHandler(decoder),
            ConnectionHandler(
                edge: edge, router: router, loop: loop, isAdmin: isAdmin,
                isLoopback: channel.parent?.localAddress?.isLoopback ?? false))
    }

    /// Sets the event loops up, the first time.
    private func seatLoops() async throws -> [EventLoopSeat] {
        let seated = state.withLock { $0.loops }
        if !seated.isEmpty { return seated }
        let now = edge.options.clock.now
        var seats: [EventLoopSeat] = []
        for eventLoop in group.makeIterator() {
            let seat = eventLoop.submit {
                let metrics = HTTPMetrics()
                let state = NIOLoopBound(
                    LoopState(metrics: metrics, clock: now), eventLoop: eventLoop)
                let ticking = eventLoop.scheduleRepeatedTask(
                    initialDelay: .seconds(1), delay: .seconds(1)
                ) { _ in state.value.tick() }
                return EventLoopSeat(
                    eventLoop: eventLoop, state: state, metrics: metrics, ticking: ticking)
            }
            seats.append(try await seat.get())
        }
        return state.withLock { state in
            if state.loops.isEmpty {
                state.loops = seats
            } else {
                for seat in seats { seat.ticking.cancel() }
            }
            return state.loops
        }
    }

    private static func address(
        of channel: any Channel, _ host: String, _ port: Int
    ) -> (host: String, port: Int) {
        let address = channel.localAddress
        return (address?.ipAddress ?? host, address?.port ?? port)
    }
}

extension SocketAddress {
    /// Whether only this machine can reach it.
    fileprivate var isLoopback: Bool {
        guard let ipAddress else { return false }
        return ipAddress == "::1" || ipAddress.hasPrefix("127.")
            || ipAddress.hasPrefix("::ffff:127.")
    }
}

/// Why the server could not be started, for people.
package struct HTTPServerError: Error, CustomStringConvertible {
    package var message: String
    /// Another program listens there.
    package var isAddressInUse: Bool
    /// The port of the operator's routes, not the API's.
    package var isAdmin: Bool
    package var description: String { message }
}
