package import Logging
import MeteringModel
package import MeteringPorts

/// Delivers alerts: each endpoint's in order, endpoints beside one another.
///
/// Endpoints meet nowhere but in the bound on how many are served at a time, so one that hangs
/// holds up nobody but itself (and one of those places, for at most its timeout).
package actor AlertDispatcher {
    private let feeder: CrossingFeeder
    private let book: EndpointBook
    private let store: any AlertStore
    private let clock: WallClock
    private let logger: Logger
    private let settings: AlertSettings
    private let courier: EndpointCourier
    /// One a line that is being served.
    private var turns: [String: Task<Void, Never>] = [:]
    /// Lines left alone because the store failed. In memory: the store is what fails.
    private var avoided: [String: Timestamp] = [:]
    private var prunedAt: Timestamp?
    /// The line that was started last: the next look begins behind it, so that none starves.
    private var lastStarted = ""
    private var isStopped = false

    package struct Parts: Sendable {
        package var feeder: CrossingFeeder
        package var book: EndpointBook
        package var store: any AlertStore
        package var transports: @Sendable (AlertEndpoint.Kind) -> any AlertTransport
        package var counters: AlertCounters
        package var clock: WallClock
        /// 0 ..< 1,000: how much longer than planned a wait is, in tenths of a thousandth.
        package var jitter: @Sendable () -> Int64
        package var logger: Logger
        package init(
            feeder: CrossingFeeder, book: EndpointBook, store: any AlertStore,
            transports: @escaping @Sendable (AlertEndpoint.Kind) -> any AlertTransport,
            counters: AlertCounters, clock: WallClock,
            jitter: @escaping @Sendable () -> Int64 = { .random(in: 0..<1_000) }, logger: Logger
        ) {
            self.feeder = feeder
            self.book = book
            self.store = store
            self.transports = transports
            self.counters = counters
            self.clock = clock
            self.jitter = jitter
            self.logger = logger
        }
    }

    package init(_ parts: Parts, settings: AlertSettings = AlertSettings()) {
        feeder = parts.feeder
        book = parts.book
        store = parts.store
        clock = parts.clock
        logger = parts.logger
        self.settings = settings
        courier = EndpointCourier(
            store: parts.store, recorder: OutcomeRecorder(store: parts.store),
            transports: parts.transports, maker: ParcelMaker(settings: settings),
            counters: parts.counters, clock: parts.clock, jitter: parts.jitter,
            logger: parts.logger, settings: settings)
    }

    /// Takes in and sends until cancelled; then waits for the requests under way.
    package func run() async {
        var backoffMilliseconds = 250
        while !Task.isCancelled {
            do throws(LedgerError) {
                try step()
                backoffMilliseconds = 250
            } catch {
                logger.warning("alerts wait: \(error.message)")
                backoffMilliseconds = min(backoffMilliseconds * 2, 30_000)
            }
            try? await Task.sleep(for: .milliseconds(backoffMilliseconds))
        }
        await stop()
    }

    /// Takes in what there is and starts every line that is due. Does not wait for requests.
    package func step() throws(LedgerError) {
        while try feeder.pump() {}
        while try store.settle(at: clock.now(), limit: settings.feedPageSize)
            == settings.feedPageSize
        {}
        try startLines()
        try pruneSometimes()
    }

    /// Gives the requests under way up (they will be made again) and waits for their ends.
    package func stop() async {
        isStopped = true
        for turn in turns.values { turn.cancel() }
        await idle()
    }

    /// Returns once no line is being served.
    package func idle() async {
        while let turn = turns.values.first { await turn.value }
    }

    // MARK: parts

    private func startLines() throws(LedgerError) {
        if isStopped { return }
        let now = clock.now()
        let lines = try store.lines()
        let start = lines.firstIndex { $0.endpoint > lastStarted } ?? 0
        for line in lines[start...] + lines[..<start] {
            if turns.count >= settings.endpointsInFlightMax { return }
            if turns[line.endpoint] != nil || !isDue(line, now) { continue }
            if book.isGone(line.endpoint) {
                try store.cancel(line.endpoint, at: now)
                continue
            }
            guard let endpoint = book.endpoint(line.endpoint), endpoint.isEnabled else { continue }
            lastStarted = line.endpoint
            turns[line.endpoint] = Task { await self.serve(endpoint) }
        }
    }

    private func isDue(_ line: EndpointLine, _ now: Timestamp) -> Bool {
        if let until = avoided[line.endpoint], until > now { return false }
        if line.state.disabledSince != nil { return book.isGone(line.endpoint) }
        return line.state.nextAttemptAt.map { $0 <= now } ?? true
    }

    private func serve(_ endpoint: AlertEndpoint) async {
        let end = await courier.run(endpoint)
        switch end {
        case .paused: avoided[endpoint.id] = nil
        case .storeTrouble:
            avoided[endpoint.id] = clock.now().adding(seconds: settings.storeTroubleSeconds)
        }
        turns[endpoint.id] = nil
    }

    private func pruneSometimes() throws(LedgerError) {
        let now = clock.now()
        if let prunedAt, now < prunedAt.adding(seconds: 600) { return }
        prunedAt = now
        try store.prune(before: now.adding(seconds: -settings.keepDays * 86_400))
    }
}
