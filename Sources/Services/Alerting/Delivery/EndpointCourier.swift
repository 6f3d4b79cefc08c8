import Logging
import MeteringModel
import MeteringPorts

/// Sends what waits in one endpoint's line, one request at a time, in order.
///
/// The order of effects of each delivery: it is durable in the line; a digest's members are bound
/// to its id; the request is made; what came of it is durable; only then the next one is made. A
/// crash between request and record repeats the request under the same id.
struct EndpointCourier: Sendable {
    enum End: Sendable {
        /// Nothing waits, the endpoint failed, or its turn is over.
        case paused
        /// What came of a request is not on record.
        case storeTrouble
    }

    let store: any AlertStore
    let recorder: OutcomeRecorder
    let transports: @Sendable (AlertEndpoint.Kind) -> any AlertTransport
    let maker: ParcelMaker
    let counters: AlertCounters
    let clock: WallClock
    /// 0 ..< 1,000.
    let jitter: @Sendable () -> Int64
    let logger: Logger
    let settings: AlertSettings

    func run(_ endpoint: AlertEndpoint) async -> End {
        do throws(LedgerError) {
            var state = try store.state(of: endpoint.id)
            var requestCount = 0
            while !Task.isCancelled, requestCount < settings.requestsPerTurnMax,
                isDue(state)
            {
                let waiting = try store.waiting(endpoint.id, limit: settings.readMax)
                let loads = maker.loads(waiting, for: endpoint)
                if loads.isEmpty { return .paused }
                for load in loads where load.mustBind {
                    try store.bind(endpoint.id, load.sequences, carrier: load.parcel.id)
                }
                for load in loads {
                    guard !Task.isCancelled, isDue(state) else { return .paused }
                    guard let after = try await carry(load, to: endpoint, state) else {
                        return .paused
                    }
                    state = after
                    requestCount += 1
                }
            }
            return .paused
        } catch {
            logger.warning(
                "deliveries pause: \(error.message)", metadata: ["endpoint": "\(endpoint.id)"])
            return .storeTrouble
        }
    }

    private func isDue(_ state: EndpointState) -> Bool {
        if state.disabledSince != nil { return false }
        return state.nextAttemptAt.map { $0 <= clock.now() } ?? true
    }

    /// One request and its record.
    /// - Returns: the endpoint's state afterwards; nil when the process is ending and the request
    ///   was given up with it, which is no failure of the endpoint.
    private func carry(
        _ load: ParcelMaker.Load, to endpoint: AlertEndpoint, _ state: EndpointState
    ) async throws(LedgerError) -> EndpointState? {
        let startedAt = clock.now()
        let verdict = await transports(endpoint.kind).send(load.parcel, to: endpoint)
        if verdict.outcome != .delivered, Task.isCancelled { return nil }
        let now = clock.now()
        let ruling = AttemptJudge.ruling(
            verdict, before: state, attemptCount: load.attemptCount,
            pauseSeconds: endpoint.digest.everySeconds, startedAt: startedAt, now: now,
            jitter: jitter())
        try await recorder.record(
            AttemptOutcome(
                attempt: AlertAttempt(
                    endpoint: endpoint.id, id: load.parcel.id, at: startedAt,
                    durationMilliseconds: max(0, now.microseconds(since: startedAt) / 1_000),
                    status: verdict.status, detail: verdict.detail),
                sequences: load.sequences, state: ruling.state, endpoint: ruling.endpoint))
        counters.count(ruling.result)
        tell(ruling, verdict, endpoint)
        return ruling.endpoint
    }

    private func tell(
        _ ruling: AttemptJudge.Ruling, _ verdict: AlertVerdict, _ endpoint: AlertEndpoint
    ) {
        let metadata: Logger.Metadata = ["endpoint": "\(endpoint.id)"]
        switch ruling.result {
        case .delivered: break
        case .retried:
            if ruling.endpoint.failureCount == 1 {
                logger.notice("an alert endpoint fails: \(verdict.detail)", metadata: metadata)
            }
        case .failed:
            logger.warning("a message was given up: \(verdict.detail)", metadata: metadata)
        case .disabled:
            logger.warning(
                """
                an alert endpoint is disabled until it is enabled by hand; its messages wait: \
                \(verdict.detail)
                """, metadata: metadata)
        }
    }
}
