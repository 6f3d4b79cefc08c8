import Synchronization

/// The part of a producer that its thread and its callers share.
final class ProducerCore: Sendable {
    private struct State {
        /// Nil between handles and after the end.
        var session: ProducerSession?
        var isClosing = false
        var closeLimitMilliseconds = 0
        var isFinished = false
        var waiters: [@Sendable () -> Void] = []
    }

    private let topic: String
    private let configuration: KafkaConfiguration
    private let log: KafkaLogSink?
    private let onDelivery: @Sendable (KafkaDelivery) -> Void
    private let state: Mutex<State>
    let replacementCount = Atomic(0)

    private static let pollMilliseconds: Int32 = 50
    private static let retryMilliseconds = 1_000
    private static let destroyMilliseconds = 5_000

    init(
        topic: String, configuration: KafkaConfiguration, log: KafkaLogSink?,
        onDelivery: @escaping @Sendable (KafkaDelivery) -> Void
    ) throws(KafkaError) {
        self.topic = topic
        self.configuration = configuration
        self.log = log
        self.onDelivery = onDelivery
        let session = try ProducerSession(
            topic: topic, configuration, log: log, onDelivery: onDelivery)
        state = Mutex(State(session: session))
    }

    func withSender<Result>(
        _ body: (borrowing KafkaSender) -> Result
    ) throws(KafkaError) -> Result {
        // The lock is held while sending, so that the thread cannot take the session away.
        try state.withLock { state throws(KafkaError) in
            guard !state.isClosing else {
                throw KafkaError(code: .wrongState, attempt: "send", detail: "it is closed")
            }
            guard let session = state.session else {
                throw KafkaError(
                    code: .transport, attempt: "send", detail: "the client is being replaced")
            }
            return body(KafkaSender(session))
        }
    }

    func close(withinMilliseconds limit: Int, _ whenClosed: @escaping @Sendable () -> Void) {
        let isFinished = state.withLock { state in
            if state.isFinished { return true }
            if !state.isClosing {
                state.isClosing = true
                state.closeLimitMilliseconds = limit
            }
            state.waiters.append(whenClosed)
            return false
        }
        if isFinished { whenClosed() }
    }

    func failFatally() {
        // Under the lock, so that the session cannot be destroyed meanwhile.
        state.withLock { $0.session?.failFatally(.invalidArgument) }
    }

    /// The thread's life: reports, replacement after a fatal error, the end.
    func run() {
        while true {
            let (session, isClosing) = state.withLock { ($0.session, $0.isClosing) }
            if isClosing { break }
            guard let session else {
                replace()
                continue
            }
            session.poll(timeoutMilliseconds: Self.pollMilliseconds)
            if let error = session.fatalError { retire(session, because: error) }
        }
        finish()
    }

    private func retire(_ session: ProducerSession, because error: KafkaError) {
        log?(
            KafkaLogLine(
                severity: 3, facility: "FATAL",
                text: "\(error); records under way are given up, a new client takes over"))
        state.withLock { $0.session = nil }
        session.finish(withinMilliseconds: 0)
        replacementCount.add(1, ordering: .relaxed)
        replace()
        session.destroy(withinMilliseconds: Self.destroyMilliseconds)
    }

    private func replace() {
        do throws(KafkaError) {
            let session = try ProducerSession(
                topic: topic, configuration, log: log, onDelivery: onDelivery)
            state.withLock { $0.session = session }
        } catch {
            log?(KafkaLogLine(severity: 3, facility: "FATAL", text: "\(error)"))
            OwnedThread.pause(milliseconds: Self.retryMilliseconds)
        }
    }

    private func finish() {
        let (session, limit) = state.withLock { state in
            defer { state.session = nil }
            return (state.session, state.closeLimitMilliseconds)
        }
        if let session {
            session.finish(withinMilliseconds: limit)
            session.destroy(withinMilliseconds: Self.destroyMilliseconds)
        }
        let waiters = state.withLock { state in
            defer { state.waiters = [] }
            state.isFinished = true
            return state.waiters
        }
        for waiter in waiters { waiter() }
    }
}
