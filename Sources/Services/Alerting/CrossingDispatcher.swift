package import Logging
import MeteringModel
package import MeteringPorts

/// Where crossings are delivered to: a Kafka topic now, webhooks later.
package protocol CrossingSink: Sendable {
    /// Returns once the sink has them for good.
    func deliver(_ crossings: [StoredCrossing]) async throws
}

/// Carries crossings from the ledger's outbox to a sink: at least once, in order, each under its
/// stable id. Marks them only after the sink has them, so that a crash repeats and never omits.
package actor CrossingDispatcher {
    private let control: any LedgerControl
    private let sink: any CrossingSink
    private let logger: Logger
    private var backoffMilliseconds = 250

    package init(control: any LedgerControl, sink: any CrossingSink, logger: Logger) {
        self.control = control
        self.sink = sink
        self.logger = logger
    }

    /// Delivers until cancelled.
    package func run() async {
        while !Task.isCancelled {
            do {
                let waiting = try control.undeliveredCrossings(limit: 500)
                if !waiting.isEmpty {
                    try await sink.deliver(waiting)
                    try control.markDelivered(waiting.map(\.sequence))
                }
                backoffMilliseconds = 250
                if waiting.count < 500 { try? await Task.sleep(for: .milliseconds(200)) }
            } catch {
                logger.warning("crossings wait for delivery: \(error)")
                try? await Task.sleep(for: .milliseconds(backoffMilliseconds))
                backoffMilliseconds = min(backoffMilliseconds * 2, 30_000)
            }
        }
    }
}
